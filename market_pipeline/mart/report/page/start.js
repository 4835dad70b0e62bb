// The age of the publication, the banner of one that has become old, and the first drawing.
const age = () => {
  const published = document.querySelector("header time");
  const days = Math.floor((Date.now() - Date.parse(published?.dateTime)) / 864e5);
  if (days > 0) byId("age").textContent = `, ${many(days, "day")} ago`;
  for (const banner of document.querySelectorAll("[data-until]")) banner.hidden = Date.now() < Date.parse(banner.dataset.until);
};

age();
byId("tool").hidden = false;
draw();
listen();
listenToSymbol();
if (showSymbol()) section.scrollIntoView();
