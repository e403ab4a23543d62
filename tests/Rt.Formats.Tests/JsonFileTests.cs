// Guarded reading of JSON files and typed access to their fields.
using System.Text;

namespace Rt.Formats.Tests;

public sealed class JsonFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Read_ByteOrderMark_IsTolerated()
    {
        using var document = JsonFile.Read(_folder.Write("x.json", [0xEF, 0xBB, 0xBF, .. "{\"a\":1}"u8]));
        Assert.Equal(1, new JsonFields("x.json", document.RootElement).Int("a"));
    }

    [Theory]
    [InlineData("{\"a\":\n\n1,}", "at line 3, byte")]
    [InlineData("{\"a\":NaN}", "at line 1, byte")]
    [InlineData("{\"a\":1} x", "at line 1")]
    [InlineData("{\"b\":{\"a\":1,\"a\":2}}", "field 'a' appears twice")]
    [InlineData("{\"b\":[{\"a\":1},{\"a\":1,\"\\u0061\":2}]}", "field 'a' appears twice")]
    [InlineData("{\"\\ud800\":1}", "surrogate")]
    [InlineData("{\"\\ud800\":1,\"a\":1,\"a\":2}", "surrogate")]
    [InlineData("// x\n{}", "not valid JSON")]
    [InlineData("", "empty")]
    public void Read_BadJson_IsRefused(string json, string expected) =>
        BadInput.Refused(() => JsonFile.Read(_folder.Write("x.json", json)).Dispose(), "x.json", expected);

    [Fact]
    public void Read_TooLongTooDeepOrNotUtf8_IsRefused()
    {
        BadInput.Refused(() => JsonFile.Read(_folder.Write("x.json", new string(' ', 101)), 100), "at most 100 bytes, found 101");
        BadInput.Refused(() => JsonFile.Read(_folder.Write("x.json", new string('[', 65) + new string(']', 65))), "64");
        BadInput.Refused(() => JsonFile.Read(_folder.Write("x.json", [.. "\""u8, 0xff, .. "\""u8])), "UTF-8");
        BadInput.Refused(() => JsonFile.Read(_folder["absent"]), "no such file");
        BadInput.Refused(() => JsonFile.Read(_folder.Path), "folder");
    }

    [Fact]
    public void Read_LargestIndexOfOneObject_IsCheckedQuickly()
    {
        var json = new StringBuilder("{");
        for (var i = 0; json.Length < 4_000_000; i++)
        {
            json.Append($"\"{i}\":0,");
        }

        var path = _folder.Write("x.json", json.Append("\"7\":0}").ToString());
        BadInput.Refused(() => JsonFile.Read(path), "'7' appears twice");
    }

    [Fact]
    public void Fields_PresentAbsentAndNull_FollowTheRules()
    {
        var fields = Fields("""{"n_embd":8,"x":null,"eps":1e-5,"on":true,"name":"n","ids":[1,2],"id":3,"factors":[1,2.5],"o":{"t":"yarn"},"left":0}""");
        Assert.Equal(8, fields.Int("hidden_size", "n_embd", min: 1));
        Assert.Equal(5, fields.Int("x", 5));
        Assert.Equal(6, fields.Int("absent", 6));
        Assert.Null(fields.IntOrNull("x"));
        Assert.Equal(1e-5, fields.Double("eps", min: 0));
        Assert.Equal(0.5, fields.Double("absent", 0.5));
        Assert.True(fields.Bool("on"));
        Assert.True(fields.Bool("absent", true));
        Assert.Equal("n", fields.String("name"));
        Assert.Null(fields.StringOrNull("absent"));
        Assert.Equal([1, 2], fields.Ints("ids"));
        Assert.Equal([3], fields.Ints("id"));
        Assert.Equal([1, 2.5], fields.Doubles("factors"));
        Assert.Equal("yarn", fields.Object("o").String("t"));
        Assert.Null(fields.ObjectOrNull("absent"));
        Assert.True(fields.Has("eps") && !fields.Has("x") && !fields.Has("absent"));
        Assert.True(fields.IsNull("x") && !fields.IsNull("absent"));
        Assert.Equal(["left"], fields.Unread());
    }

    [Fact]
    public void Fields_OutOfRangeOrOfAnotherKind_NameFieldExpectedAndFound()
    {
        var fields = Fields("""{"zero":0,"real":1.5,"text":"a\nb","huge":99999999999,"inf":1e400,"list":[1,"x"],"o":{"factor":-1},"null":null}""");
        BadInput.Refused(() => fields.Int("zero", min: 1), "config.json", "field 'zero': expected a whole number of at least 1, found 0");
        BadInput.Refused(() => fields.Int("huge", min: 1, max: 1 << 20), "'huge': expected a whole number from 1 to 1048576, found 99999999999");
        BadInput.Refused(() => fields.Int("real"), "'real': expected a whole number, found 1.5");
        BadInput.Refused(() => fields.Int("hidden_size", "n_embd", min: 1), "'hidden_size': expected a whole number of at least 1 (or under 'n_embd'), found nothing");
        BadInput.Refused(() => fields.Int("null"), "found null");
        BadInput.Refused(() => fields.Double("inf"), "'inf': expected a finite number, found 1e400");
        BadInput.Refused(() => fields.Double("text"), "'text': expected a finite number, found the string 'a\\nb'");
        BadInput.Refused(() => fields.Bool("zero"), "'zero': expected true or false, found 0");
        BadInput.Refused(() => fields.String("zero"), "'zero': expected a string, found 0");
        BadInput.Refused(() => fields.Ints("list"), "'list[1]'");
        BadInput.Refused(() => fields.Doubles("zero"), "'zero': expected a list, found 0");
        BadInput.Refused(() => fields.Object("o").Double("factor", min: 1), "'o.factor': expected a finite number of at least 1, found -1");
        BadInput.Refused(() => fields.Object("list"), "'list': expected a JSON object, found a list");
    }

    private static JsonFields Fields(string json) => new("config.json", JsonFile.Parse("config.json", Encoding.UTF8.GetBytes(json)).RootElement);
}
