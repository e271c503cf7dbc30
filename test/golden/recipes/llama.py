"""The llama variants. Between them: grouped heads, tied and untied heads, three kinds of rope, biases, three dtypes,
one and two files, the chat template in both of its places, config.json in the old and the new wording."""

from .vocabularies import llama3_vocabulary, sentencepiece_vocabulary, smollm_vocabulary

CHATML = (
    "{% for message in messages %}"
    "{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful AI assistant.<|im_end|>\n' }}{% endif %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
LLAMA3_CHAT = (
    "{%- for message in messages %}\n"
    "    {%- set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' "
    "+ message['content'] | trim + '<|eot_id|>' %}\n"
    "    {%- if loop.index0 == 0 %}\n"
    "        {%- set content = bos_token + content %}\n"
    "    {%- endif %}\n"
    "    {{- content }}\n"
    "{%- endfor %}\n"
    "{%- if add_generation_prompt %}\n"
    "    {{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}\n"
    "{%- endif %}\n"
)

BASE = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "attention_bias": False,
    "attention_dropout": 0.0,
    "hidden_act": "silu",
    "hidden_size": 128,
    "initializer_range": 0.02,
    "intermediate_size": 256,
    "max_position_embeddings": 512,
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "num_key_value_heads": 2,
    "pretraining_tp": 1,
    "rms_norm_eps": 1e-5,
    "use_cache": True,
}

# Wide in the layers and narrow in the embedding: the context decides the next token, so wrong positions show.
SPREAD = {"embed_tokens": 0.1, "lm_head": 0.1, "q_proj": 0.2, "k_proj": 0.2, "o_proj": 0.25, "v_proj": 0.15, "proj": 0.2}


def without_tied_head(model):
    return {name: tensor for name, tensor in model.state_dict().items() if name != "lm_head.weight"}


LLAMA = {
    "llama-gqa": {
        "about": "llama, 4 query heads on 2 key-value heads, tied embeddings, float32.",
        "seed": 1000,
        "spread": SPREAD,
        "tokenizer": smollm_vocabulary,
        "stored": without_tied_head,
        "config": {
            **BASE,
            "intermediate_size": 128,
            "bos_token_id": 1,
            "eos_token_id": 2,
            "pad_token_id": 2,
            "rope_theta": 10000.0,
            "rope_scaling": None,
            "tie_word_embeddings": True,
            "torch_dtype": "float32",
            "vocab_size": 384,
        },
        "generation_config": {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 2},
        "tokenizer_config": {
            "add_prefix_space": False,
            "bos_token": "<|im_start|>",
            "eos_token": "<|im_end|>",
            "pad_token": "<|im_end|>",
            "unk_token": "<|endoftext|>",
            "clean_up_tokenization_spaces": False,
            "model_max_length": 512,
            "chat_template": CHATML,
            "tokenizer_class": "PreTrainedTokenizerFast",
        },
    },
    "llama-llama3-rope": {
        "about": "llama, own lm_head, llama3 rope scaling, several end tokens, bfloat16.",
        "seed": 2000,
        "spread": SPREAD,
        "tokenizer": llama3_vocabulary,
        "stored": lambda model: model.state_dict(),
        "chat_template": LLAMA3_CHAT,
        "config": {
            **BASE,
            "bos_token_id": 0,
            "eos_token_id": [1, 4],
            "head_dim": 32,
            "mlp_bias": False,
            "rope_theta": 500000.0,
            # 64 original positions: the longer prompts are in the range that the scaling is for.
            "rope_scaling": {
                "factor": 8.0,
                "high_freq_factor": 4.0,
                "low_freq_factor": 1.0,
                "original_max_position_embeddings": 64,
                "rope_type": "llama3",
            },
            "tie_word_embeddings": False,
            "torch_dtype": "bfloat16",
            "vocab_size": 384,
        },
        "generation_config": {
            "bos_token_id": 0,
            "eos_token_id": [1, 4],
            "do_sample": True,
            "temperature": 0.6,
            "top_p": 0.9,
        },
        "tokenizer_config": {
            "bos_token": "<|begin_of_text|>",
            "eos_token": "<|eot_id|>",
            "clean_up_tokenization_spaces": False,
            "model_max_length": 512,
            "model_input_names": ["input_ids", "attention_mask"],
            "tokenizer_class": "PreTrainedTokenizerFast",
        },
    },
    "llama-bias": {
        "about": "llama, biases in attention and mlp, 4 heads of 64 on a hidden size of 128, linear rope scaling, "
        "vocabulary of an odd size, float16 in two files.",
        "seed": 3000,
        "spread": SPREAD,
        "shards": 2,
        "tokenizer": sentencepiece_vocabulary,
        "stored": lambda model: model.state_dict(),
        "config": {
            **BASE,
            "attention_bias": True,
            "mlp_bias": True,
            "head_dim": 64,
            "num_attention_heads": 4,
            "num_key_value_heads": 1,
            "rms_norm_eps": 1e-6,
            "bos_token_id": 1,
            "eos_token_id": 2,
            # The wording of transformers 5: everything about rope in one object.
            "rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 20000.0},
            "tie_word_embeddings": False,
            "torch_dtype": "float16",
            "vocab_size": 389,
        },
        "generation_config": {"bos_token_id": 1, "eos_token_id": 2, "temperature": 0.9},
        "tokenizer_config": {
            "add_bos_token": True,
            "add_eos_token": False,
            "bos_token": {"__type": "AddedToken", "content": "<s>", "normalized": False, "special": True},
            "eos_token": {"__type": "AddedToken", "content": "</s>", "normalized": False, "special": True},
            "unk_token": {"__type": "AddedToken", "content": "<unk>", "normalized": False, "special": True},
            "clean_up_tokenization_spaces": False,
            "model_max_length": 512,
            "tokenizer_class": "PreTrainedTokenizerFast",
        },
    },
}
