// The code of a website that uses the types made by openapi-typescript. It is
// compiled, not run.
// Each @ts-expect-error fails if the types allow the mistake below it.
import type { components, operations, paths } from "./onenow";

type Schemas = components["schemas"];
type Json<R> = R extends { content: { "application/json": infer T } } ? T : never;
type Body<O extends keyof operations> = operations[O] extends { requestBody: { content: { "application/json": infer T } } } ? T : never;
type Answer<O extends keyof operations, S extends keyof operations[O]["responses"]> = Json<operations[O]["responses"][S]>;

export const vehicle: Answer<"createVehicle", 201> = { id: 1, make: "Toyota", model: "Corolla", year: 2020, plate: "ABC123", user: "user1" };
export const plates: string[] = ([vehicle] satisfies Answer<"listVehicles", 200>).map((v) => v.plate);
export const days: Body<"createBooking"> = { vehicle: vehicle.id, start_date: "2025-07-20", end_date: "2025-07-25" };
export const longer: Body<"patchBooking"> = { end_date: "2025-07-26" };
export const filter: paths["/bookings/"]["get"]["parameters"]["query"] = { from: "2025-07-20", limit: 10 };

export function tell(e: Answer<"createBooking", 400> | Answer<"createBooking", 409> | Answer<"createBooking", 401>): string {
  if ("conflict" in e) {
    const code: "booking_conflict" = e.code;
    const other: Schemas["Booking"] = e.conflict;
    return `${code}: ${other.start_date}`;
  }
  if ("detail" in e) return e.detail;
  const texts: string[] | undefined = e.start_date;
  return (texts ?? e.non_field_errors ?? []).join(" ");
}

// @ts-expect-error an answer has all of its fields
export const half: Schemas["Booking"] = { id: 1, vehicle: 1, start_date: "2025-07-20" };
// @ts-expect-error a request names the vehicle
export const nothing: Body<"createBooking"> = { start_date: "2025-07-20", end_date: "2025-07-25" };
// @ts-expect-error a year is a number
export const year: Body<"putVehicle">["year"] = "2020";
// @ts-expect-error there is no such field
export const colour = vehicle.colour;
// @ts-expect-error there is no such code
export const code: Answer<"createBooking", 409>["code"] = "other";
// @ts-expect-error there is no such path
export type Nowhere = paths["/nowhere/"];
