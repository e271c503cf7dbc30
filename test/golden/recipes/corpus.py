"""The texts behind every golden: what the tiny tokenizers are trained on, and what the tiny models are asked."""

SENTENCES = [
    "The cat sat on the warm stone and watched the river go by.",
    "A dog ran after the red ball, and the children ran after the dog.",
    "What is the capital of France? The capital of France is Paris.",
    "In the morning the baker opens the shop; in the evening the baker closes it.",
    "Water boils at 100 degrees and freezes at 0 degrees.",
    "She said that the train would arrive at 10:45, but it arrived at 11:30.",
    "The small garden behind the house has 3 apple trees, 2 pear trees and 1 cherry tree.",
    "Nobody knows where the old map came from, or who drew it.",
    "If the weather is good tomorrow, we will walk to the lake and swim.",
    "The teacher wrote a short question on the board and waited for an answer.",
    "Write the number, then write the word, then write the number again.",
    "An answer without a question is like a bridge without a river.",
    "He counted the stars until he was tired, and then he counted sheep.",
    "The ship left the harbour at night, carrying wheat, wool and a letter for the king.",
    "Please tell me a story about a wolf that was afraid of the dark.",
    "The winter was long, the snow was deep, and the fire was the only light.",
    "Every model is wrong, but some models are small enough to be tested.",
    "You are a helpful assistant who answers in one short sentence.",
    "The quick brown fox jumps over the lazy dog near the quiet river bank.",
    "They built the wall of stone, the roof of wood and the door of iron.",
    "My brother reads the newspaper while my sister plays the piano.",
    "The price of bread rose by 12 percent, and the price of salt by 4 percent.",
    "When the music stopped, the dancers looked at the clock and laughed.",
    "A good tool does one thing well and says so when it can not.",
]

# Text that a tokenizer gets wrong first: digits, runs of spaces, contractions, accents, scripts without spaces, an
# emoji of several code points, control characters.
ODD_TEXT = "It's 2,048  tokens:\n\tna\u00efve caf\u00e9 \u2013 \u6771\u4eac \U0001f469\u200d\U0001f680 isn't ASCII!  "

SHORT_PROMPT = "The capital of France is"
MIDDLE_PROMPT = "The teacher wrote a short question on the board: what is water made of?"
LONG_PROMPT = (
    "The ship left the harbour at night, carrying wheat, wool and a letter for the king. Nobody knew what the letter "
    "said. In the morning the water was quiet, the wind was warm, and the dancers on the stone bridge had stopped."
)

DECODER_PROMPTS = ["A", SHORT_PROMPT, ODD_TEXT, MIDDLE_PROMPT, LONG_PROMPT]

CHATS = [
    [{"role": "user", "content": "What is the capital of France?"}],
    [
        {"role": "system", "content": "Answer in one short sentence."},
        {"role": "user", "content": "Who drew the old map?"},
        {"role": "assistant", "content": "Nobody knows."},
        {"role": "user", "content": "And where is it now?\n"},
    ],
]

ENCODER_TEXTS = [
    "cat",
    "a dog",
    "What is the capital of France?",
    "The quick brown fox jumps over the lazy dog near the quiet river bank.",
    ODD_TEXT,
    LONG_PROMPT,
    " ".join(SENTENCES[:9]),
    "",
]
