import { note } from "./dom.js"; export const diagnosis = () => [note("diagnosis", "soon")];
