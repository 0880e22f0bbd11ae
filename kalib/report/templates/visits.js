// Saves what was typed as the table of overrides that the next run takes in.
const form = JSON.parse(document.getElementById("form").textContent);
const cell = (value) => `"${String(value).replaceAll('"', '""')}"`;
document.querySelectorAll("form").forEach((sheet) => sheet.addEventListener("submit", (event) => {
  event.preventDefault();
  const answered = [...sheet.querySelectorAll("[data-account]")].filter((row) => row.querySelector("[name=potential]").value);
  const rows = answered.map((row) => {
    const [potential, ...found] = [...row.querySelectorAll("input")].map((input) => input.value.trim());
    const amount = Number((Number(potential) * form.scale).toFixed(2));
    return [row.dataset.account, amount, sheet.elements.by.value.trim(), found.filter(Boolean).join("; ") || form.reason];
  });
  const text = [form.terms, ...rows].map((row) => row.map(cell).join(",")).join("\r\n");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([`\ufeff${text}\r\n`], { type: "text/csv" }));
  link.download = `${form.study}-${sheet.elements.by.value.trim().replace(/[^\p{L}\p{N}]+/gu, "-") || "answers"}.csv`;
  link.click();
}));
