// @ts-check
// Finds the parts of the editor's markup: what is not there is a mistake, and is said at once.

/**
 * The element with that `data-testid`.
 * @param {HTMLElement} root
 * @param {string} name
 * @returns {HTMLElement}
 */
export function find(root, name) {
  return within(root, `[data-testid="${name}"]`);
}

/**
 * The first element below `root` that fits a selector.
 * @param {HTMLElement} root
 * @param {string} selector
 * @returns {HTMLElement}
 */
export function within(root, selector) {
  const found = root.querySelector(selector);
  if (!(found instanceof HTMLElement)) throw new Error(`The editor's markup has no ${selector}.`);
  return found;
}

/**
 * The same for sliders and checkboxes.
 * @param {HTMLElement} root
 * @param {string} name
 */
export function input(root, name) {
  return /** @type {HTMLInputElement} */ (find(root, name));
}

/**
 * The same for buttons.
 * @param {HTMLElement} root
 * @param {string} name
 */
export function button(root, name) {
  return /** @type {HTMLButtonElement} */ (find(root, name));
}

/**
 * The same for lists to choose from.
 * @param {HTMLElement} root
 * @param {string} name
 */
export function select(root, name) {
  return /** @type {HTMLSelectElement} */ (find(root, name));
}
