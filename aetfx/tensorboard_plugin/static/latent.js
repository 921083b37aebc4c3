import { note } from "./dom.js"; export const latent = () => [note("latent", "soon")];
