// llama.cpp splits at some 50 GB; a model of a thousand parts would be 50 TB, and each is an open file.
const MAX_PARTS = 1000;

/** The names of a GGUF model's parts, in order, from that of any of them; one name for a model in one file. Folders are kept. */
export function ggufParts(file: string): string[] {
  const [, stem, number, total] = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/s.exec(file) ?? [];
  const count = Number(total);
  if (!(count > 1 && count <= MAX_PARTS && Number(number) >= 1 && Number(number) <= count)) return [file];
  return Array.from(
    { length: count },
    (_, part) => `${stem}-${String(part + 1).padStart(5, "0")}-of-${total}.gguf`,
  );
}
