// Asks the backend. Addresses are relative to the frame's base, so that any path prefix works.

const kept = new Map(); // answers of this writing of the run; a new step empties it

export class Problem extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

export const forget = () => kept.clear();

const ask = async (path, parameters, read, fresh = false) => {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(parameters)) {
    if (Array.isArray(value)) value.forEach((item) => query.append(key, item));
    else if (value !== null && value !== undefined) query.set(key, value);
  }
  const address = `./${path}?${query}`;
  if (!fresh && kept.has(address)) return kept.get(address);
  let response;
  try {
    response = await fetch(address);
  } catch (error) {
    throw new Problem("TensorBoard does not answer. Is it still running?", 0);
  }
  if (!response.ok) {
    let message = `TensorBoard answered ${response.status}.`;
    try {
      message = (await response.json()).error || message;
    } catch (error) { /* not ours: the number says it */ }
    throw new Problem(message, response.status);
  }
  const found = await read(response);
  kept.set(address, found);
  return found;
};

export const getJson = (path, parameters = {}, fresh = false) => ask(path, parameters, (response) => response.json(), fresh);

// A pack: uint32 length, JSON, float32 arrays (see `views.pack`).
export const getPack = (path, parameters = {}) => ask(path, parameters, async (response) => {
  const buffer = await response.arrayBuffer();
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  let place = 4 + length;
  header.values = header.arrays.map((shape) => {
    const size = shape.reduce((product, edge) => product * edge, 1);
    const values = new Float32Array(buffer, place, size);
    place += 4 * size;
    return values;
  });
  return header;
});
