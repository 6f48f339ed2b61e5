using NanoGpt.IO;

namespace NanoGpt.Tests.IO;

public sealed class FileNamesTests
{
    [Theory]
    [InlineData("model.safetensors")]
    [InlineData("model-00001-of-00002.safetensors")]
    [InlineData(".gitattributes")]
    [InlineData("console.txt")]
    [InlineData("com10")]
    [InlineData("\u4e2d.json")]
    public void Plain_names_are_plain(string name) => Assert.True(FileNames.IsPlain(name));

    [Theory]
    [InlineData("")]
    [InlineData(".")]
    [InlineData("..")]
    [InlineData("../model.safetensors")]
    [InlineData("a/b")]
    [InlineData("a\\b")]
    [InlineData("/etc/passwd")]
    [InlineData("C:\\x")]
    [InlineData("c:x")]
    [InlineData("a:stream")]
    [InlineData("\\\\server\\share")]
    [InlineData("a\0b")]
    [InlineData("a\nb")]
    [InlineData("a.")]
    [InlineData("a ")]
    [InlineData(" a")]
    [InlineData("NUL")]
    [InlineData("nul.safetensors")]
    [InlineData("con .txt")]
    [InlineData("COM1.json")]
    [InlineData("LPT\u00b9")]
    [InlineData("a*")]
    [InlineData("a?")]
    [InlineData("a|b")]
    public void Anything_that_is_more_than_a_name_in_a_folder_is_not(string name) => Assert.False(FileNames.IsPlain(name));

    [Fact]
    public void Names_longer_than_a_file_system_takes_are_not_plain() => Assert.False(FileNames.IsPlain(new string('a', 256)));
}
