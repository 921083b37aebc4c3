import { note } from "./dom.js"; export const data = () => [note("data", "soon")];
