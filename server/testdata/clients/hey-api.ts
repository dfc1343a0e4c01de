// The code of a website that uses the client made by @hey-api/openapi-ts.
import { createBooking, createVehicle, listBookings, login, register } from "./made/hey-api";
import { client } from "./made/hey-api/client.gen";
import type { Booking, BookingConflict, NewVehicle } from "./made/hey-api";

declare const process: { env: Record<string, string> };
client.setConfig({ baseUrl: process.env.API });

async function main(): Promise<void> {
  const user = { username: "user1", password: "pass123" };
  await register({ body: user, throwOnError: true });
  const tokens = (await login({ body: user, throwOnError: true })).data;
  client.setConfig({ auth: tokens.access });

  const car: NewVehicle = { make: "Toyota", model: "Corolla", year: 2020, plate: "ABC123" };
  const { data: vehicle } = await createVehicle({ body: car, throwOnError: true });
  const days = { vehicle: vehicle.id, start_date: "2025-07-20", end_date: "2025-07-25" };
  await createBooking({ body: days, throwOnError: true });
  const [booked]: Booking[] = (await listBookings({ query: { from: "2025-07-20", limit: 1 }, throwOnError: true })).data;
  console.log("Booked from", booked?.start_date, "to", booked?.end_date);

  const again = await createBooking({ body: days });
  if (again.error && "conflict" in again.error) {
    const taken: BookingConflict = again.error;
    console.log(again.response?.status, taken.detail);
  }
}

main();

// @ts-expect-error a request names the vehicle
export const nothing: Parameters<typeof createBooking>[0]["body"] = { start_date: "2025-07-20", end_date: "2025-07-25" };
// @ts-expect-error a year is a number
export const year: NewVehicle["year"] = "2020";
