import { note } from "./dom.js"; export const errors = () => [note("errors", "soon")];
