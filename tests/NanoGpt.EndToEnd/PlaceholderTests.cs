namespace NanoGpt.EndToEnd;

public sealed class PlaceholderTests
{
    [Fact]
    public void Library_has_no_console_reference() =>
        Assert.DoesNotContain(typeof(GPTConfig).Assembly.GetReferencedAssemblies(), a => a.Name == "System.Console");
}
