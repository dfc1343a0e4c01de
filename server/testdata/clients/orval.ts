// The code of a website that uses the client made by orval.
import { createBooking, createVehicle, listBookings, login, register } from "./made/orval";
import type { Booking, BookingConflict, NewVehicle } from "./made/orval";

declare const process: { env: Record<string, string> };
const relative = globalThis.fetch; // the client's addresses have no host
globalThis.fetch = (path, init) => relative(process.env.API + path, init);

async function main(): Promise<void> {
  const user = { username: "user1", password: "pass123" };
  await register(user);
  const signedIn = await login(user);
  if (signedIn.status !== 200) throw new Error(JSON.stringify(signedIn.data));
  const options = { headers: { Authorization: `Bearer ${signedIn.data.access}` } };

  const car: NewVehicle = { make: "Toyota", model: "Corolla", year: 2020, plate: "ABC123" };
  const created = await createVehicle(car, options);
  if (created.status !== 201) throw new Error(JSON.stringify(created.data));
  const days = { vehicle: created.data.id, start_date: "2025-07-20", end_date: "2025-07-25" };
  await createBooking(days, options);
  const list = await listBookings({ from: "2025-07-20", limit: 1 }, options);
  if (list.status !== 200) throw new Error(JSON.stringify(list.data));
  const booked: Booking | undefined = list.data[0];
  console.log("Booked from", booked?.start_date, "to", booked?.end_date);

  const again = await createBooking(days, options);
  if (again.status === 409) {
    const taken: BookingConflict = again.data;
    console.log(again.status, taken.detail);
  }
}

main();

// @ts-expect-error a request names the vehicle
export const nothing: Parameters<typeof createBooking>[0] = { start_date: "2025-07-20", end_date: "2025-07-25" };
// @ts-expect-error a year is a number
export const year: NewVehicle["year"] = "2020";
