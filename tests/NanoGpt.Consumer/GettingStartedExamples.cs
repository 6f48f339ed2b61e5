// The code of docs/getting-started.md.

namespace NanoGpt.Consumer;

internal static class GettingStartedExamples
{
    public static void Errors()
    {
        #region errors
        try
        {
            using var gpt = GPT.FromPretrained("nobody/no-such-model");
        }
        catch (NanoGptException e)   // ModelFormatException, HubException, CheckpointException, TrainingDivergedException, BackendException
        {
            Console.WriteLine(e.Message);
        }
        #endregion
    }
}
