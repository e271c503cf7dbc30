import { describe, expect, it } from "vitest";
import type { ChatMessage, Tool } from "../../../src/core/requests.js";
import { createChatTemplate, type RenderOptions } from "../../../src/core/text/chat-template.js";

const tools: Tool[] = [
  {
    name: "get_weather",
    description: "Weather of a city",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
];

const conversation: ChatMessage[] = [
  { role: "user", content: "Weather in Paris?" },
  {
    role: "assistant",
    content: "",
    reasoning: "I must look.",
    toolCalls: [{ id: "call_abcdefghijklmnopqrstuvwx", name: "get_weather", arguments: '{"city":"Paris"}' }],
  },
  { role: "tool", content: "18 °C", toolCallId: "call_abcdefghijklmnopqrstuvwx" },
];

/** Templates in the manner of the models that are named; the whitespace control is theirs too. */
const templates = {
  qwen: `{%- if tools %}
{{- '<|im_start|>system\\n<tools>' }}
{%- for tool in tools %}
{{- '\\n' + (tool | tojson) }}
{%- endfor %}
{{- '\\n</tools>\\n<tool_call>\\n{"name": <function-name>}\\n</tool_call><|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
{%- if message.role == 'tool' %}
{{- '<|im_start|>user\\n<tool_response>\\n' + message.content + '\\n</tool_response><|im_end|>\\n' }}
{%- else %}
{{- '<|im_start|>' + message.role + '\\n' }}
{%- if message.reasoning_content is defined and message.reasoning_content is not none %}
{{- '<think>\\n' + message.reasoning_content + '\\n</think>\\n\\n' }}
{%- endif %}
{{- message.content }}
{%- if message.tool_calls %}
{%- for tool_call in message.tool_calls %}
{%- if tool_call.function %}{%- set tool_call = tool_call.function %}{%- endif %}
{{- '<tool_call>\\n{"name": "' + tool_call.name + '", "arguments": ' }}
{{- tool_call.arguments if tool_call.arguments is string else tool_call.arguments | tojson }}
{{- '}\\n</tool_call>' }}
{%- endfor %}
{%- endif %}
{{- '<|im_end|>\\n' }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
{{- '<|im_start|>assistant\\n' }}
{%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}
{%- endif %}`,
  mistral: `{{- bos_token }}
{%- for message in messages %}
{%- if message.role == 'user' %}
{%- if tools is not none and loop.last %}{{- '[AVAILABLE_TOOLS] ' + (tools | tojson) + '[/AVAILABLE_TOOLS]' }}{%- endif %}
{{- '[INST] ' + message.content + '[/INST]' }}
{%- elif message.tool_calls is defined and message.tool_calls is not none %}
{{- '[TOOL_CALLS] [' }}
{%- for tool_call in message.tool_calls %}
{%- set out = tool_call.function | tojson %}
{%- if not tool_call.id is defined or tool_call.id | length != 9 %}
{{- raise_exception('Tool call IDs should be alphanumeric strings with length 9!') }}
{%- endif %}
{{- out[:-1] + ', "id": "' + tool_call.id + '"}' }}
{%- endfor %}
{{- ']' + eos_token }}
{%- elif message.role == 'tool' %}
{{- '[TOOL_RESULTS] {"content": ' + message.content + ', "call_id": "' + message.tool_call_id + '"}[/TOOL_RESULTS]' }}
{%- else %}
{{- ' ' + message.content + eos_token }}
{%- endif %}
{%- endfor %}`,
  llama3: `{%- if not tools is defined %}{%- set tools = none %}{%- endif %}
{%- for message in messages %}
{%- if not (message.role == 'tool' or 'tool_calls' in message) %}
{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' }}
{%- if tools is not none and loop.first %}{%- for t in tools %}{{- t | tojson(indent=4) }}{%- endfor %}{%- endif %}
{{- message['content'] | trim + '<|eot_id|>' }}
{%- elif 'tool_calls' in message %}
{%- if not message.tool_calls | length == 1 %}{{- raise_exception('This model only supports single tool-calls at once!') }}{%- endif %}
{%- set tool_call = message.tool_calls[0].function %}
{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n{"name": "' + tool_call.name + '", "parameters": ' }}
{{- tool_call.arguments | tojson }}
{{- '}<|eot_id|>' }}
{%- elif message.role == 'tool' %}
{{- '<|start_header_id|>ipython<|end_header_id|>\\n\\n' + (message.content | tojson) + '<|eot_id|>' }}
{%- endif %}
{%- endfor %}`,
  deepseek: `{%- for message in messages %}
{%- if message['role'] == 'user' %}{{- '<｜User｜>' + message['content'] }}{%- endif %}
{%- if message['role'] == 'assistant' and message['tool_calls'] %}
{%- for tool in message['tool_calls'] %}
{{- '<｜Assistant｜><｜tool▁calls▁begin｜>' + tool['type'] + '<｜tool▁sep｜>' + tool['function']['name'] + '\\n' + tool['function']['arguments'] }}
{%- endfor %}
{%- endif %}
{%- if message['role'] == 'assistant' and message['content'] is not none %}
{{- '<｜Assistant｜>' + message['content'].split('</think>')[-1] }}
{%- endif %}
{%- if message['role'] == 'tool' %}{{- '<｜tool▁output▁begin｜>' + message['content'] }}{%- endif %}
{%- endfor %}`,
  phi: `{%- for message in messages %}
{%- if message['role'] == 'system' and 'tools' in message and message['tools'] is not none %}
{{- '<|system|>' + message['content'] + '<|tool|>' + message['tools'] + '<|/tool|><|end|>' }}
{%- else %}
{{- '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}
{%- endif %}
{%- endfor %}`,
  plain:
    "{%- for message in messages %}{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}{%- endfor %}",
};

function render(
  family: keyof typeof templates,
  messages: ChatMessage[],
  options: RenderOptions = {},
): Promise<string> {
  const config = { chat_template: templates[family], bos_token: "<s>", eos_token: "</s>" };
  return createChatTemplate(config).render(messages, options);
}

describe("a model's own template", () => {
  it("gets tools, calls, results and reasoning as transformers gives them: Qwen3", async () => {
    expect(await render("qwen", conversation, { tools })).toBe(
      '<|im_start|>system\n<tools>\n{"type": "function", "function": {"name": "get_weather", "description": ' +
        '"Weather of a city", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, ' +
        '"required": ["city"]}}}\n</tools>\n<tool_call>\n{"name": <function-name>}\n</tool_call><|im_end|>\n' +
        "<|im_start|>user\nWeather in Paris?<|im_end|>\n" +
        "<|im_start|>assistant\n<think>\nI must look.\n</think>\n\n" +
        '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n</tool_call><|im_end|>\n' +
        "<|im_start|>user\n<tool_response>\n18 °C\n</tool_response><|im_end|>\n" +
        "<|im_start|>assistant\n",
    );
  });

  it("gets the caller's variables", async () => {
    expect(await render("qwen", conversation.slice(0, 1), { variables: { enable_thinking: false } })).toMatch(
      /<think>\n\n<\/think>\n\n$/,
    );
  });

  it("gets ids of nine characters where it insists: Mistral", async () => {
    expect(await render("mistral", conversation)).toBe(
      "<s>[INST] Weather in Paris?[/INST]" +
        '[TOOL_CALLS] [{"name": "get_weather", "arguments": {"city": "Paris"}, "id": "pqrstuvwx"}]</s>' +
        '[TOOL_RESULTS] {"content": 18 °C, "call_id": "pqrstuvwx"}[/TOOL_RESULTS]',
    );
    const { toolCalls: _, ...plain } = conversation[1];
    expect(await render("mistral", [conversation[0], { ...plain, content: "Warm.", toolCalls: [] }])).toBe(
      "<s>[INST] Weather in Paris?[/INST] Warm.</s>",
    );
  });

  it("gets one call at a time where it knows no more: Llama 3", async () => {
    expect(await render("llama3", conversation, { tools })).toContain(
      'assistant<|end_header_id|>\n\n{"name": "get_weather", "parameters": {"city": "Paris"}}<|eot_id|>' +
        '<|start_header_id|>ipython<|end_header_id|>\n\n"18 °C"',
    );
    const [call] = conversation[1].toolCalls!;
    const twice = [conversation[0], { ...conversation[1], toolCalls: [call, call] }];
    await expect(render("llama3", twice)).rejects.toMatchObject({
      code: "invalid_request",
      message: expect.stringContaining("single tool-calls"),
    });
  });

  it("gets arguments as text, and no content beside calls, where it wants that: DeepSeek", async () => {
    expect(await render("deepseek", conversation)).toBe(
      "<｜User｜>Weather in Paris?<｜Assistant｜><｜tool▁calls▁begin｜>function<｜tool▁sep｜>get_weather\n" +
        '{"city":"Paris"}<｜tool▁output▁begin｜>18 °C',
    );
  });

  it("gets tools in the system message where it looks for them there: Phi-4-mini", async () => {
    const described =
      '<|tool|>[{"name":"get_weather","description":"Weather of a city","parameters":{"type":"object",' +
      '"properties":{"city":{"type":"string"}},"required":["city"]}}]<|/tool|><|end|>';
    const [user] = conversation;
    expect(await render("phi", [user], { tools })).toBe(
      `<|system|>${described}<|user|>Weather in Paris?<|end|>`,
    );
    expect(await render("phi", [{ role: "system", content: "Be brief." }, user], { tools })).toBe(
      `<|system|>Be brief.${described}<|user|>Weather in Paris?<|end|>`,
    );
  });

  it("that knows no tools is an error, unless a call is required", async () => {
    const [user] = conversation;
    await expect(render("plain", [user], { tools })).rejects.toMatchObject({
      code: "invalid_request",
      message: "the model's chat template knows no tools",
      param: "tools",
    });
    expect(await render("plain", [user], { tools, toolChoice: "none" })).toBe(
      "<|im_start|>user\nWeather in Paris?<|im_end|>\n",
    );
    const forced = await render("plain", [{ role: "system", content: "Be brief." }, user], {
      tools,
      toolChoice: "required",
    });
    expect(forced).toMatch(
      /^<\|im_start\|>system\nBe brief\.\n\nYou can call these functions.*"name":"get_weather".*<\/tools>/s,
    );
    expect(await render("plain", [user], { tools, toolChoice: { name: "get_weather" } })).toMatch(
      /^<\|im_start\|>system\nYou can call/,
    );
  });

  it("that knows no calls gets them as text, so that none is lost", async () => {
    const [call] = conversation[1].toolCalls!;
    const result = conversation[2];
    const messages = [
      conversation[0],
      { ...conversation[1], content: "Both.", toolCalls: [call, { ...call, id: "call_2" }] },
      result,
      { ...result, toolCallId: "call_2", content: "19 °C" },
    ];
    const written = '<tool_call>\n{"name": "get_weather", "arguments": {"city":"Paris"}}\n</tool_call>';
    expect(await render("plain", messages)).toBe(
      "<|im_start|>user\nWeather in Paris?<|im_end|>\n" +
        `<|im_start|>assistant\nBoth.\n${written}\n${written}<|im_end|>\n` +
        "<|im_start|>user\n<tool_response>\n18 °C\n</tool_response>\n<tool_response>\n19 °C\n</tool_response><|im_end|>\n",
    );
  });

  it("that can't be rendered is not taken for one without tools", async () => {
    const template = createChatTemplate({ chat_template: "{{ tools | frobnicate }}" });
    await expect(template.render([conversation[0]], { tools })).rejects.toMatchObject({
      code: "unsupported_model",
      message: expect.stringContaining("frobnicate"),
    });
  });

  it("refuses arguments that are no object", async () => {
    const [call] = conversation[1].toolCalls!;
    const broken = [conversation[0], { ...conversation[1], toolCalls: [{ ...call, arguments: "[1]" }] }];
    await expect(render("qwen", broken)).rejects.toMatchObject({
      code: "invalid_request",
      message: expect.stringContaining("[1]"),
      param: "messages",
    });
  });
});
