// config.json of a Hugging Face GPT-2 to GPTConfig and back. A key that changes what the model computes is honoured or
// refused, never passed over; a key that is absent means what transformers takes it for. Knows no weights.

using System.Text.Json;
using System.Text.Unicode;
using NanoGpt.IO;

namespace NanoGpt.Formats;

/// <summary>Reads and writes config.json.</summary>
internal static class ConfigJson
{
    public const string FileName = "config.json";

    /// <summary>The largest config.json that is read, in bytes. Real ones have about one thousand.</summary>
    public const int MaxLength = 256 << 10;

    private static readonly (string Name, ActivationFunction Function)[] Activations =
    [
        ("gelu_new", ActivationFunction.GeluNew), ("gelu_pytorch_tanh", ActivationFunction.GeluPytorchTanh),
        ("gelu", ActivationFunction.Gelu), ("relu", ActivationFunction.Relu), ("silu", ActivationFunction.Silu),
        ("swish", ActivationFunction.Silu), ("tanh", ActivationFunction.Tanh),
    ];

    /// <summary>Reads a config.json.</summary>
    /// <exception cref="ModelFormatException">It is missing, broken, or asks for something that is not GPT-2.</exception>
    public static GPTConfig ReadFile(string path)
    {
        using var file = MappedFile.Open(path);
        if (file.Length > MaxLength) throw new ModelFormatException($"{path} has {file.Length} bytes, the limit is {MaxLength}. It is no config.json.");
        return Read(file.Head(MaxLength), path);
    }

    /// <summary>Reads the text of a config.json.</summary>
    /// <param name="json">The text, UTF-8.</param>
    /// <param name="path">Names the file in errors.</param>
    /// <exception cref="ModelFormatException">It is broken, or asks for something that is not GPT-2.</exception>
    public static GPTConfig Read(ReadOnlySpan<byte> json, string path)
    {
        if (json.StartsWith("\ufeff"u8)) json = json[3..]; // Editors on Windows put it there.
        if (!Utf8.IsValid(json)) throw new ModelFormatException($"{path} is not UTF-8. Save it as UTF-8.");
        try
        {
            var reader = new Utf8JsonReader(json);
            using var document = JsonDocument.ParseValue(ref reader);
            if (reader.Read()) throw new ModelFormatException($"{path} goes on after its JSON value.");
            return new ConfigReader(document.RootElement, path).Read();
        }
        catch (JsonException e)
        {
            throw new ModelFormatException($"{path} is not JSON: line {e.LineNumber + 1}, byte {e.BytePositionInLine}. Get the file again.", e);
        }
        catch (InvalidOperationException e)
        {
            throw new ModelFormatException($"{path} has a string with half a surrogate pair.", e); // thrown by GetString
        }
    }

    /// <summary>The text of a config.json as transformers writes it: keys in order, floats as Python prints them.</summary>
    /// <param name="config">What to write. <see cref="GPTConfig.Bias"/> is written only where it is false.</param>
    /// <param name="type">The element type of the weights, for <c>torch_dtype</c>.</param>
    public static string Write(GPTConfig config, TensorType type)
    {
        var keys = new SortedDictionary<string, string>(StringComparer.Ordinal)
        {
            ["activation_function"] = JsonText.String(Activations.First(a => a.Function == config.Activation).Name),
            ["architectures"] = "[\n    \"GPT2LMHeadModel\"\n  ]",
            ["attn_pdrop"] = JsonText.Float(config.AttentionDropout),
            ["bos_token_id"] = JsonText.Integer(config.BosTokenId),
            ["embd_pdrop"] = JsonText.Float(config.EmbeddingDropout),
            ["eos_token_id"] = JsonText.Integer(config.EosTokenId),
            ["initializer_range"] = JsonText.Float(config.InitializerRange),
            ["layer_norm_epsilon"] = JsonText.Float(config.LayerNormEpsilon),
            ["model_type"] = "\"gpt2\"",
            ["n_embd"] = JsonText.Integer(config.NEmbd),
            ["n_head"] = JsonText.Integer(config.NHead),
            ["n_inner"] = JsonText.Integer(config.NInner),
            ["n_layer"] = JsonText.Integer(config.NLayer),
            ["n_positions"] = JsonText.Integer(config.BlockSize),
            ["reorder_and_upcast_attn"] = JsonText.Boolean(config.ReorderAndUpcastAttention),
            ["resid_pdrop"] = JsonText.Float(config.ResidualDropout),
            ["scale_attn_by_inverse_layer_idx"] = JsonText.Boolean(config.ScaleAttentionByInverseLayerIndex),
            ["scale_attn_weights"] = JsonText.Boolean(config.ScaleAttentionWeights),
            ["summary_activation"] = "null",
            ["summary_first_dropout"] = "0.1",
            ["summary_proj_to_labels"] = "true",
            ["summary_type"] = "\"cls_index\"",
            ["summary_use_proj"] = "true",
            ["torch_dtype"] = JsonText.String(TorchName(type)),
            ["use_cache"] = "true",
            ["vocab_size"] = JsonText.Integer(config.VocabSize),
        };
        if (!config.TieWordEmbeddings) keys["tie_word_embeddings"] = "false"; // transformers leaves its default out
        if (!config.Bias) keys["bias"] = "false"; // nanoGPT's option: transformers passes it over and reads the zeros
        return JsonText.Object(keys);
    }

    /// <summary>The text of generation_config.json as transformers derives it from the config.</summary>
    public static string WriteGenerationConfig(GPTConfig config)
    {
        var keys = new SortedDictionary<string, string>(StringComparer.Ordinal) { ["_from_model_config"] = "true" };
        if (config.BosTokenId is { } bos) keys["bos_token_id"] = JsonText.Integer(bos);
        if (config.EosTokenId is { } eos) keys["eos_token_id"] = JsonText.Integer(eos);
        return JsonText.Object(keys);
    }

    private static string TorchName(TensorType type) => type switch
    {
        TensorType.F16 => "float16",
        TensorType.BF16 => "bfloat16",
        TensorType.F64 => "float64",
        _ => "float32",
    };

    /// <summary>One config.json being read.</summary>
    private readonly struct ConfigReader(JsonElement root, string path)
    {
        public GPTConfig Read()
        {
            if (root.ValueKind != JsonValueKind.Object) throw Fault("is not a JSON object");
            RefuseOtherArchitectures();
            var config = new GPTConfig
            {
                VocabSize = Integer("vocab_size", null) ?? 50257,
                BlockSize = Integer("n_positions", "max_position_embeddings") ?? 1024,
                NLayer = Integer("n_layer", "num_hidden_layers") ?? 12,
                NHead = Integer("n_head", "num_attention_heads") ?? 12,
                NEmbd = Integer("n_embd", "hidden_size") ?? 768,
                NInner = OptionalInteger("n_inner", null),
                Activation = ReadActivation(),
                LayerNormEpsilon = Number("layer_norm_epsilon", 1e-5),
                EmbeddingDropout = Number("embd_pdrop", 0.1),
                AttentionDropout = Number("attn_pdrop", 0.1),
                ResidualDropout = Number("resid_pdrop", 0.1),
                Bias = Boolean("bias", true),
                ScaleAttentionWeights = Boolean("scale_attn_weights", true),
                ScaleAttentionByInverseLayerIndex = Boolean("scale_attn_by_inverse_layer_idx", false),
                ReorderAndUpcastAttention = Boolean("reorder_and_upcast_attn", false),
                TieWordEmbeddings = Boolean("tie_word_embeddings", true),
                InitializerRange = Number("initializer_range", 0.02),
                BosTokenId = OptionalInteger("bos_token_id", 50256),
                EosTokenId = OptionalInteger("eos_token_id", 50256),
            };
            var faults = config.Faults().ToList();
            return faults.Count == 0 ? config : throw Fault($"is not valid: {string.Join("; ", faults)}");
        }

        private void RefuseOtherArchitectures()
        {
            if (root.TryGetProperty("model_type", out var type) && !(type.ValueKind == JsonValueKind.String && type.ValueEquals("gpt2")))
                throw Fault($"has model_type {Show(type)}; this library runs 'gpt2' only");
            foreach (var key in new[] { "add_cross_attention", "is_encoder_decoder" })
            {
                if (Boolean(key, false)) throw Fault($"has {key} true: that is not GPT-2 as a language model");
            }

            foreach (var key in new[] { "quantization_config", "pruned_heads" })
            {
                if (root.TryGetProperty(key, out var value) && !IsEmpty(value))
                    throw Fault($"has {key}, which is not supported: a plain float checkpoint is needed");
            }
        }

        private static bool IsEmpty(JsonElement value) => value.ValueKind switch
        {
            JsonValueKind.Null => true,
            JsonValueKind.Object => !value.EnumerateObject().Any(),
            JsonValueKind.Array => value.GetArrayLength() == 0,
            _ => false,
        };

        private ActivationFunction ReadActivation()
        {
            if (!root.TryGetProperty("activation_function", out var value)) return ActivationFunction.GeluNew;
            foreach (var (name, function) in Activations)
                if (value.ValueKind == JsonValueKind.String && value.ValueEquals(name)) return function;
            throw Fault($"has activation_function {Show(value)}; known are {string.Join(", ", Activations.Select(a => a.Name))}");
        }

        /// <summary>A whole number under its GPT-2 name or its general one; null where neither is there.</summary>
        private int? Integer(string key, string? alias)
        {
            var value = root.TryGetProperty(key, out var element) ? ToInteger(key, element) : (int?)null;
            if (alias is null || !root.TryGetProperty(alias, out element)) return value;
            var other = ToInteger(alias, element);
            return value is null || value == other ? other : throw Fault($"has {key} {value} and {alias} {other}, which mean the same");
        }

        /// <summary>A whole number or an explicit null.</summary>
        private int? OptionalInteger(string key, int? absent)
        {
            if (!root.TryGetProperty(key, out var value)) return absent;
            return value.ValueKind == JsonValueKind.Null ? null : ToInteger(key, value);
        }

        private int ToInteger(string key, JsonElement value)
        {
            // 12.0 is refused as transformers refuses it; TryGetInt32 says no to it.
            if (value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number)) return number;
            throw Fault($"has {key} {Show(value)}, must be a whole number below 2^31");
        }

        private double Number(string key, double absent)
        {
            if (!root.TryGetProperty(key, out var value)) return absent;
            return value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var number)
                ? number : throw Fault($"has {key} {Show(value)}, must be a number");
        }

        private bool Boolean(string key, bool absent)
        {
            if (!root.TryGetProperty(key, out var value)) return absent;
            return value.ValueKind switch
            {
                JsonValueKind.True => true,
                JsonValueKind.False => false,
                _ => throw Fault($"has {key} {Show(value)}, must be true or false"),
            };
        }

        private static string Show(JsonElement value) => value.ValueKind switch
        {
            JsonValueKind.Object => "{...}",
            JsonValueKind.Array => "[...]",
            _ => UntrustedText.Quote(value.ToString()),
        };

        private ModelFormatException Fault(string what) => new($"{path} {what}.");
    }
}
