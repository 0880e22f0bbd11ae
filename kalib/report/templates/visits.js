// Saves what was typed as the table of overrides that the next run takes in, and joins such tables.
const form = JSON.parse(document.getElementById("form").textContent);
const cell = (value) => `"${String(value).replaceAll('"', '""')}"`;
const head = form.terms.map(cell).join(",");

function save(lines, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([`\ufeff${[head, ...lines].join("\r\n")}\r\n`], { type: "text/csv" }));
  link.download = `${form.study}-${name.replace(/[^\p{L}\p{N}]+/gu, "-") || "answers"}.csv`;
  link.click();
}

document.querySelectorAll("form").forEach((sheet) => sheet.addEventListener("submit", (event) => {
  event.preventDefault();
  const by = sheet.elements.by.value.trim();
  const answered = [...sheet.querySelectorAll("[data-account]")].filter((row) => row.querySelector("[name=potential]").value);
  save(answered.map((row) => {
    const [potential, ...found] = [...row.querySelectorAll("input")].map((input) => input.value.trim());
    const amount = Number((Number(potential) * form.scale).toFixed(2));
    return [row.dataset.account, amount, by, found.filter(Boolean).join("; ") || form.reason].map(cell).join(",");
  }), by);
}));

// An answer has no line breaks, so that a line is a row.
document.getElementById("join")?.addEventListener("change", async ({ target }) => {
  const texts = await Promise.all([...target.files].map((file) => file.text()));
  save(texts.flatMap((text) => text.split(/\r?\n/).slice(1).filter(Boolean)), "answers");
  target.value = "";
});
