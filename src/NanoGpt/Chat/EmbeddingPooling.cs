// How one vector is made of the many that a text has.

namespace NanoGpt.Chat;

/// <summary>Which hidden states, after the last layer norm, make the vector of a text.</summary>
public enum EmbeddingPooling
{
    /// <summary>The mean over all tokens.</summary>
    Mean,

    /// <summary>That of the last token, the only one that has seen all of the text.</summary>
    Last,
}
