// Numbers as the reader's own language writes them.

const LOCALE = navigator.languages?.length ? [...navigator.languages] : undefined;

/** A price in its own currency; an unknown currency is written behind the number. */
export function money(value, currency) {
  if (value === null || value === undefined) return "Price on request";
  try {
    return new Intl.NumberFormat(LOCALE, { style: "currency", currency, currencyDisplay: "narrowSymbol" }).format(value);
  } catch {
    const number = new Intl.NumberFormat(LOCALE, { minimumFractionDigits: 2, maximumFractionDigits: 2 }).format(value);
    return currency ? `${number} ${currency}` : number;
  }
}

export function whole(value) {
  return new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 0 }).format(value);
}

export function decimal(value, digits = 1) {
  return new Intl.NumberFormat(LOCALE, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
}

export function distance(km) {
  if (km === null || km === undefined) return "";
  const value = km < 10 ? Math.round(km * 10) / 10 : Math.round(km);
  return `${new Intl.NumberFormat(LOCALE).format(value)} km`;
}

export function seconds(ms) {
  return ms < 950 ? `${Math.max(1, Math.round(ms))} ms` : `${decimal(ms / 1000)} s`;
}

export const units = (count) => (count === 1 ? "1 unit" : `${whole(count)} units`);

/** The words of a text, in lower case. */
export const wordsOf = (text) => (text ?? "").toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
