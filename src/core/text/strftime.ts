/** Python's strftime in the C locale, for the letters that chat templates use; others stay as they are. */
export function strftime(format: string, now: Date): string {
  const two = (value: number) => String(value).padStart(2, "0");
  const values: Record<string, () => string> = {
    Y: () => String(now.getFullYear()),
    y: () => two(now.getFullYear() % 100),
    m: () => two(now.getMonth() + 1),
    B: () => MONTHS[now.getMonth()],
    b: () => MONTHS[now.getMonth()].slice(0, 3),
    d: () => two(now.getDate()),
    A: () => DAYS[now.getDay()],
    a: () => DAYS[now.getDay()].slice(0, 3),
    H: () => two(now.getHours()),
    I: () => two(now.getHours() % 12 || 12),
    M: () => two(now.getMinutes()),
    S: () => two(now.getSeconds()),
    p: () => (now.getHours() < 12 ? "AM" : "PM"),
    "%": () => "%",
  };
  return format.replace(/%-?(.)/g, (whole, letter: string) => {
    const value = values[letter]?.();
    if (value === undefined) return whole;
    return whole[1] === "-" ? value.replace(/^0(?=.)/, "") : value;
  });
}

const MONTHS = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];
const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
