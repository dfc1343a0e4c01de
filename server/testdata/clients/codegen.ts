// The code of a website that uses the client made by openapi-typescript-codegen.
import { ApiError, BookingsService, OpenAPI, UsersService, VehiclesService } from "./made/codegen";
import type { Booking, BookingConflict, NewVehicle } from "./made/codegen";

declare const process: { env: Record<string, string> };
OpenAPI.BASE = process.env.API!;

async function main(): Promise<void> {
  const user = { username: "user1", password: "pass123" };
  await UsersService.register(user);
  OpenAPI.TOKEN = (await UsersService.login(user)).access;

  const car: NewVehicle = { make: "Toyota", model: "Corolla", year: 2020, plate: "ABC123" };
  const vehicle = await VehiclesService.createVehicle(car);
  const days = { vehicle: vehicle.id, start_date: "2025-07-20", end_date: "2025-07-25" };
  await BookingsService.createBooking(days);
  const [booked]: Booking[] = await BookingsService.listBookings("2025-07-20");
  console.log("Booked from", booked?.start_date, "to", booked?.end_date);

  try {
    await BookingsService.createBooking(days);
  } catch (e) {
    if (!(e instanceof ApiError)) throw e;
    const taken: BookingConflict = e.body;
    console.log(e.status, taken.detail);
  }
}

main();

// @ts-expect-error a request names the vehicle
export const nothing: Parameters<typeof BookingsService.createBooking>[0] = { start_date: "2025-07-20", end_date: "2025-07-25" };
// @ts-expect-error a year is a number
export const year: NewVehicle["year"] = "2020";
