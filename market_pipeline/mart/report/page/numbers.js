// Numbers and names as text, for people and for a file of columns.
const MINUS = "−";
const THIN = "\u202f";
const separated = [...Array(13).keys()].map((decimals) =>
  new Intl.NumberFormat("en-GB", { minimumFractionDigits: decimals, maximumFractionDigits: decimals }));

const missing = (value) => value === null || value === undefined;
const plain = (text) => text.replace("-", MINUS);

// A fraction in hundredths, without its sign of per cent: the head of a column has it.
const hundredths = (fraction, decimals, signed) => {
  if (missing(fraction)) return "–";
  const text = (100 * fraction).toFixed(decimals);
  const zero = Number(text) === 0;
  return plain(`${signed && !zero && fraction > 0 ? "+" : ""}${zero ? text.replace("-", "") : text}`);
};
const percent = (fraction, decimals = 1, signed = false) =>
  missing(fraction) ? "–" : `${hundredths(fraction, decimals, signed)}${THIN}%`;

// A price to at least four significant digits: hundredths below 10,000, whole units above.
const price = (value) => {
  if (missing(value)) return "–";
  const magnitude = Math.floor(Math.log10(Math.abs(value) || 1));
  return plain(separated[magnitude < 4 ? Math.min(Math.max(3 - magnitude, 2), 12) : 0].format(value));
};
const many = (n, one) => `${separated[0].format(n)} ${one}${n === 1 ? "" : "s"}`;
const spaced = (name) => name.replace(/_/g, " ");
const escaped = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/"/g, "&quot;");

// One field of a CSV file; a name that a sheet would take for a formula begins with an apostrophe.
const field = (value) => {
  if (missing(value)) return "";
  const text = typeof value === "string" && /^[=+@\t\r-]/.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
};
