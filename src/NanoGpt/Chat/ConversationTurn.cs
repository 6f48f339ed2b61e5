// One thing that was said.

using Microsoft.Extensions.AI;

namespace NanoGpt.Chat;

/// <summary>One turn of a conversation.</summary>
/// <param name="Role"><see cref="ChatRole.User"/> or <see cref="ChatRole.Assistant"/>.</param>
/// <param name="Text">What was said.</param>
public sealed record ConversationTurn(ChatRole Role, string Text);
