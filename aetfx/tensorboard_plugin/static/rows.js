import { note } from "./dom.js"; export const rows = () => [note("rows", "soon")];
