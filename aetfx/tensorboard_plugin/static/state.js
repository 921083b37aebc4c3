// What is shown, kept in the address of the page that holds this frame, so that a link brings it back:
// #aetfx&view=rows&run=..&a=..&b=..&slice=..&order=..&offset=..&colour=..&filter=..&sort=..

const PLUGIN = "aetfx";
const KEYS = ["view", "run", "a", "b", "c", "d", "slice", "order", "offset", "colour", "filter", "sort"];

const host = () => {
  try {
    return window.parent.location.hash !== undefined ? window.parent : window;
  } catch (error) {
    return window; // shown by another page
  }
};

export const read = () => {
  const [plugin, ...pairs] = host().location.hash.replace(/^#/, "").split("&");
  const state = {};
  if (plugin !== PLUGIN) return state;
  for (const pair of pairs) {
    const [key, ...value] = pair.split("=");
    if (!KEYS.includes(key)) continue;
    try {
      state[key] = decodeURIComponent(value.join("="));
    } catch (error) { /* a broken link shows the default */ }
  }
  return state;
};

// While another tab of TensorBoard is shown the address is that tab's.
export const isShown = () => {
  const hash = host().location.hash;
  return hash === "" || hash.replace(/^#/, "").split("&")[0] === PLUGIN;
};

export const write = (state) => {
  if (!isShown()) return;
  const pairs = KEYS.filter((key) => state[key]).map((key) => `${key}=${encodeURIComponent(state[key])}`);
  const hash = `#${[PLUGIN, ...pairs].join("&")}`;
  if (host().location.hash === hash) return;
  host().history.replaceState(host().history.state, "", hash); // quiet: TensorBoard need not route again
};

export const onChange = (handle) => host().addEventListener("hashchange", () => { if (isShown()) handle(); });

export const isDark = () => {
  try {
    return host().document.body.classList.contains("dark-mode");
  } catch (error) {
    return false;
  }
};

export const onTheme = (handle) => {
  try {
    new MutationObserver(handle).observe(host().document.body, { attributes: true, attributeFilter: ["class"] });
  } catch (error) { /* another page's */ }
};

export const openTab = (name) => { host().location.hash = `#${name}`; };

// TensorBoard says through a channel that it has read again. The channel is not documented: without it a button is left.
export const onReload = (handle) => {
  if (window.parent === window) return;
  const channel = new MessageChannel();
  channel.port1.onmessage = (event) => {
    try {
      const message = JSON.parse(event.data);
      if (!message.isReply && message.type === "experimental.DataReloaded") handle();
    } catch (error) { /* not for us */ }
  };
  window.parent.postMessage("experimental.bootstrap", "*", [channel.port2]);
};
