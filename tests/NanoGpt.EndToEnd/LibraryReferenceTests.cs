namespace NanoGpt.EndToEnd;

public sealed class LibraryReferenceTests
{
    [Fact]
    public void The_library_does_not_reference_the_console() =>
        Assert.DoesNotContain(typeof(GPTConfig).Assembly.GetReferencedAssemblies(), a => a.Name == "System.Console");
}
