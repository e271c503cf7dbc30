/**
 * Made-up English: common words drawn by their frequency (the r-th word about 1 / r of the time), in sentences, the
 * same every time. Only length and the mix of short and long tokens matter to the clock, not the sense.
 */
const WORDS =
  `the of and to in a is that for it was on with as be at by this had not are but from or have an they which one
you were all her she there would their we him been has when who will no more if out so up said what its about than into them
can only other time new some could these two may first then do any like my now over such our man me even most made after also
did many off before must well back through years much where your way down should because long each just those people too mister
how little state good very make world still see own work men day get here old life both between being under three never know
same last another while us might great year come since against go right came take used himself few house use place during
without again home around small however found mother part thought went say general once upon school every does got united left
number course war until always away something fact water less public put think almost hand enough far took head yet better set
told nothing night end why called find look asked later knew point next program city business give group toward young days let
room side social given present several order second national early face possible rather per among form important often things
looked large big case need felt along children saw best church ever least power light development thing seemed family interest
want members mind area country others done turned although open service certain kind problem began different door help sense
means whole matter harbour captain lighthouse winter engineer morning letter station bridge river mountain railway instrument
temperature measurement laboratory experiment observation government parliament committee election newspaper journalist library
university professor student language grammar dictionary translation history archive manuscript village market merchant carpenter
bicycle telescope satellite astronomer orchestra violin painter gallery museum architecture cathedral garden orchard vineyard
kitchen breakfast vegetable medicine hospital physician infection vaccine algorithm database network protocol encryption compiler
keyboard software hardware processor memory electricity turbine generator reservoir irrigation agriculture fertilizer harvest
weather thunderstorm hurricane earthquake volcano glacier penguin elephant butterfly mushroom photosynthesis chromosome
constitution jurisdiction arbitration insurance inheritance accountant bankruptcy investment currency inflation philosophy
metaphysics psychology anthropology archaeology mathematics geometry probability uncertainty extraordinary circumstances
responsibility nevertheless approximately`.split(/\s+/);

/** Numbers in [0, 1) that are the same for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A text of so many words. */
export function madeText(words: number, random: () => number): string {
  const parts: string[] = [];
  let left = 0;
  for (let i = 0; i < words; i++) {
    let word = drawWord(random);
    if (left === 0) {
      left = 6 + Math.floor(random() * 15);
      word = word[0].toUpperCase() + word.slice(1);
    }
    left -= 1;
    const ends = left === 0 || i === words - 1;
    parts.push(ends ? `${word}.` : random() < 0.07 ? `${word},` : word);
  }
  return parts.join(" ");
}

/** The 512 texts of 4 to 180 words that embedding is measured with: mostly short, some long, in no order of length. */
export function embeddingTexts(): string[] {
  const random = seededRandom(512);
  return Array.from({ length: 512 }, () => madeText(4 + Math.floor(177 * random() ** LENGTH_BIAS), random));
}

/** Chosen so that the texts come to about 30,000 tokens of MiniLM. */
const LENGTH_BIAS = 3;

function drawWord(random: () => number): string {
  // The inverse of the sum of 1 / (r + 3), near enough.
  const rank = 3 * ((WORDS.length + 3) / 3) ** random() - 3;
  return WORDS[Math.min(WORDS.length - 1, Math.floor(rank))];
}
