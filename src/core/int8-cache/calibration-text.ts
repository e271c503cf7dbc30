/**
 * What keys and values are measured on: a little of all that prompts are made of, because each kind has components that
 * only it makes large. To change it is to change every graph with an int8 cache (raise BUILDER_VERSION).
 */
export const CALIBRATION_TEXT = `The ferry left the island a little after seven, with forty passengers, two bicycles and a crate of oranges on the deck. "It will rain before noon," said the captain, and she was right: by eleven the hills were gone. Rivers begin as thin lines on a map, but whoever follows one on foot learns that it has no single source.

Question: A shop sells pens at 3 for $4.50. How much do 17 pens cost?
Answer: One pen costs $1.50, so 17 pens cost 17 × 1.50 = $25.50 (plus 8.25% tax, about $27.60).

- water: 100 °C, 212 °F
- mercury (Hg): -38.83 °C; atomic number 80
1. Open the file. 2. Read 4,096 bytes. 3. Stop at 0xFF.

\`\`\`python
def mean(values: list[float]) -> float:
    if not values:
        raise ValueError("no values")
    return sum(values) / len(values)  # arithmetic mean
\`\`\`

{"name": "Ada", "born": 1815, "tags": ["math", "engine"], "alive": false, "note": null}
SELECT city, COUNT(*) FROM users WHERE age >= 21 GROUP BY city ORDER BY 2 DESC;

Der Zug nach Wien fährt um 9:15 Uhr ab; wer zu spät kommt, wartet bis zum Abend. La bibliothèque ferme à dix-huit heures. El niño pregunta por qué el cielo es azul. Книга лежит на столе. 今天的天气很好,我们去公园吧。 東京は雨です。 العلم نور. E = mc², x ∈ ℝ, ∑ 1/n² = π²/6 😀

user: Can you explain why the sky is blue?
assistant: Yes. Sunlight is a mixture of colours. Air scatters short waves more than long ones, so the blue part reaches us from every direction, while the rest comes straight from the sun.
`;
