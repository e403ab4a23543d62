// Malformed safetensors files: each must be refused with a message that names what is wrong.
using System.Diagnostics;
using System.Text;

namespace Rt.Formats.Tests;

[Collection(LargeInputs.Name)]
public sealed class SafetensorsBadInputTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Open_NoFileFolderOrEmpty_IsRefused()
    {
        Refused(_folder["absent"], "no such file");
        Refused(_folder.Path, "folder");
        Refused(_folder.Write("empty", []), "empty");
        Refused("/dev/null", "/dev/null");
    }

    [Fact]
    public void Open_LinkInACircleOrPipe_IsRefused()
    {
        File.CreateSymbolicLink(_folder["circle"], _folder["circle"]);
        Refused(_folder["circle"], "circle");
        using var mkfifo = Process.Start("mkfifo", _folder["pipe"]);
        mkfifo.WaitForExit();
        Refused(_folder["pipe"], "empty");
    }

    [Theory]
    [InlineData(new byte[] { 2, 0, 0 }, "at least 8 bytes, found 3")]
    [InlineData(new byte[] { 3, 0, 0, 0, 0, 0, 0, 0, (byte)'{', (byte)'}' }, "3 bytes reach past the end")]
    [InlineData(new byte[] { 1, 0xe1, 0xf5, 0x05, 0, 0, 0, 0, (byte)'{', (byte)'}' }, "at most 100000000, found 100000001")]
    [InlineData(new byte[] { 255, 255, 255, 255, 255, 255, 255, 255, (byte)'{', (byte)'}' }, "found 18446744073709551615")]
    [InlineData(new byte[] { 4, 0, 0, 0, 0, 0, 0, 0, (byte)'{', (byte)'"', 0xff, (byte)'}' }, "UTF-8")]
    [InlineData(new byte[] { 0, 0, 0, 0, 0, 0, 0, 0 }, "not valid JSON")]
    public void Open_BadFrame_IsRefused(byte[] bytes, string expected) => Refused(_folder.Write("frame", bytes), expected);

    [Theory]
    [InlineData("not json", "not valid JSON at line 1, byte")]
    [InlineData("[]", "expected a JSON object, found an array")]
    [InlineData("\"x\"", "found a string")]
    [InlineData("{", "not valid JSON")]
    [InlineData("{}{}", "not valid JSON")]
    [InlineData("{}\0", "not valid JSON")]
    [InlineData("{\"x\":\n1e}", "line 2")]
    [InlineData("""{"x":3}""", "tensor 'x': expected an object, found a number")]
    [InlineData("""{"x":null}""", "found null")]
    [InlineData("""{"__metadata__":{"a":1}}""", "__metadata__ 'a': expected a string, found a number")]
    [InlineData("""{"__metadata__":{"a":{"b":"c"}}}""", "'a': expected a string, found an object")]
    [InlineData("""{"__metadata__":"a"}""", "expected an object of strings, found a string")]
    [InlineData("""{"__metadata__":{"a":"1","\u0061":"2"}}""", "__metadata__ key 'a' appears twice")]
    [InlineData("""{"__metadata__":{},"__metadata__":{}}""", "__metadata__ appears twice")]
    [InlineData("""{"__metadata__":{"a":"\ud800"}}""", "surrogate")]
    [InlineData("""{"\ud800":{"dtype":"U8","shape":[],"data_offsets":[0,1]}}""", "surrogate")]
    public void Open_BadJson_IsRefused(string header, string expected) => Refused(_folder.Safetensors(header, 0), expected);

    [Theory]
    [InlineData("""{"dtype":"F32","shape":[2]}""", "data_offsets is missing")]
    [InlineData("""{"shape":[2],"data_offsets":[0,8]}""", "dtype is missing")]
    [InlineData("""{"dtype":"F32","data_offsets":[0,8]}""", "shape is missing")]
    [InlineData("""{"dtype":"F32","shape":[2],"data_offsets":[0,8],"shape":[2]}""", "shape appears twice")]
    [InlineData("""{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}""", "dtype appears twice")]
    [InlineData("""{"dtype":"F32","shape":[2],"data_offsets":[0,8],"data_offsets":[0,8]}""", "data_offsets appears twice")]
    [InlineData("""{"dtype":"F32","shape":[2],"data_offsets":[0,8],"strides":[1]}""", "unknown key 'strides'")]
    [InlineData("""{"dtype":"F31","shape":[2],"data_offsets":[0,8]}""", "dtype: unknown type 'F31'")]
    [InlineData("""{"dtype":"f32","shape":[2],"data_offsets":[0,8]}""", "dtype: unknown type 'f32'")]
    [InlineData("""{"dtype":7,"shape":[2],"data_offsets":[0,8]}""", "dtype: expected a string, found a number")]
    [InlineData("""{"dtype":"F32","shape":2,"data_offsets":[0,8]}""", "shape: expected an array, found a number")]
    [InlineData("""{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}""", "shape: expected a whole number from 0 to 2^63-1, found '-2'")]
    [InlineData("""{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}""", "found '2.0'")]
    [InlineData("""{"dtype":"F32","shape":["2"],"data_offsets":[0,8]}""", "found a string")]
    [InlineData("""{"dtype":"F32","shape":[[2]],"data_offsets":[0,8]}""", "found an array")]
    [InlineData("""{"dtype":"F32","shape":[2],"data_offsets":[-0,8]}""", "found '-0'")]
    [InlineData("""{"dtype":"F32","shape":[2],"data_offsets":[-8,0]}""", "found '-8'")]
    [InlineData("""{"dtype":"F32","shape":[2],"data_offsets":[0,8.5]}""", "found '8.5'")]
    [InlineData("""{"dtype":"F32","shape":[2],"data_offsets":[0,1e400]}""", "found '1e400'")]
    [InlineData("""{"dtype":"F32","shape":[2],"data_offsets":[0,8e0]}""", "found '8e0'")]
    [InlineData("""{"dtype":"F32","shape":[2],"data_offsets":[0,9223372036854775808]}""", "found '9223372036854775808'")]
    [InlineData("""{"dtype":"F32","shape":[2],"data_offsets":[0]}""", "found nothing")]
    [InlineData("""{"dtype":"F32","shape":[2],"data_offsets":[0,8,8]}""", "expected two numbers")]
    [InlineData("""{"dtype":"F32","shape":[2],"data_offsets":{"a":0}}""", "expected an array of two")]
    [InlineData("""{"dtype":"F32","shape":[2],"data_offsets":[8,0]}""", "end 0 lies before begin 8")]
    [InlineData("""{"dtype":"F32","shape":[3],"data_offsets":[0,8]}""", "need 12 bytes, data_offsets [0, 8] give 8")]
    [InlineData("""{"dtype":"F64","shape":[2],"data_offsets":[0,8]}""", "F64 need 16 bytes")]
    [InlineData("""{"dtype":"F4","shape":[3],"data_offsets":[0,8]}""", "do not fill whole bytes")]
    [InlineData("""{"dtype":"F6_E3M2","shape":[2],"data_offsets":[0,8]}""", "do not fill whole bytes")]
    [InlineData("""{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}""", "elements overflows")]
    [InlineData("""{"dtype":"F32","shape":[4294967296,2147483648,0],"data_offsets":[0,0]}""", "elements overflows")]
    [InlineData("""{"dtype":"F32","shape":[2305843009213693952],"data_offsets":[0,8]}""", "bits overflows")]
    [InlineData("""{"dtype":"F32","shape":[4],"data_offsets":[0,16]}""", "end at byte 16, the file holds 8 bytes")]
    [InlineData("""{"dtype":"F32","shape":[1],"data_offsets":[4,8]}""", "hole")]
    [InlineData("""{"dtype":"F32","shape":[1],"data_offsets":[0,4]}""", "4 bytes behind the last tensor")]
    public void Open_BadTensor_IsRefusedByName(string tensor, string expected) =>
        Refused(_folder.Safetensors("{\"layers.0.w\":" + tensor + "}", 8), expected, expected.Contains("behind", StringComparison.Ordinal) ? "" : "'layers.0.w'");

    [Theory]
    [InlineData("""{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}}""", 8, "tensor 'b': data_offsets begin at 2, inside")]
    [InlineData("""{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}}""", 6, "tensor 'b': its data overlaps")]
    [InlineData("""{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[2],"data_offsets":[6,8]}}""", 8, "tensor 'b': data_offsets begin at 6, leaving a hole")]
    [InlineData("""{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"a":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}""", 8, "tensor 'a' appears twice")]
    [InlineData("""{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"\u0061":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}""", 8, "tensor 'a' appears twice")]
    [InlineData("""{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}""", 3, "tensor 'a': data_offsets end at byte 4, the file holds 3")]
    public void Open_BadLayout_IsRefusedByName(string header, int dataBytes, string expected) => Refused(_folder.Safetensors(header, dataBytes), expected);

    [Fact]
    public void Open_DeepNesting_IsRefused()
    {
        Refused(_folder.Safetensors(new string('[', 1_000_000), 0), "expected a JSON object");
        Refused(_folder.Safetensors("{\"a\":" + new string('[', 1_000_000), 0), "'a'");
        Refused(_folder.Safetensors("{\"a\":{\"shape\":" + new string('[', 1_000_000), 0), "'a'");
        Refused(_folder.Safetensors("{\"a\":{\"shape\":[" + string.Join(',', Enumerable.Repeat("1", 65)) + "]}}", 0), "'a'", "64 axes");
    }

    [Fact]
    public void Open_TenTensorsOnTheSameBytes_IsRefused()
    {
        var tensors = Enumerable.Range(0, 10).Select(i => $$"""
            "weight_{{i}}":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}
            """);
        Refused(_folder.Safetensors("{" + string.Join(',', tensors) + "}", 16), "'weight_1'", "overlaps");
    }

    [Fact]
    public void Open_LongNames_AreCutInMessages()
    {
        Refused(_folder.Safetensors("{\"" + new string('x', 60_000) + "\":1}", 0), "xxx...'");
        Refused(_folder.Safetensors("{\"" + new string('x', 70_000) + "\":1}", 0), "longer than 65536");
    }

    // The largest headers allowed, of the kinds that would cost most: they must fail quickly and without much memory.
    [Theory]
    [InlineData("""{"dtype":"U8","shape":[0],"data_offsets":[0,0]}""", 100_000_000, "1,000,000 tensors")]
    [InlineData("""{"dtype":"U8","shape":[1],"data_offsets":[0,1]}""", 100_000_000, "overlap")]
    [InlineData("""{"dtype":"U8","shape":[0],"data_offsets":[0,0]}""", 50_000_000, "not valid JSON")]
    [InlineData("""{}""", 100_000_000, "dtype is missing")]
    public void Open_HugeHeader_IsRefusedQuickly(string tensor, int length, string expected) =>
        Refused(Huge("{", i => $"\"{i}\":{tensor},", length), expected);

    [Fact]
    public void Open_HugeHeaderOfOtherKinds_IsRefusedQuickly()
    {
        Refused(Huge("{\"__metadata__\":{", i => $"\"{i:x}\":\"\",", 100_000_000), "100,000 keys");
        Refused(Huge("{\"a\":{\"dtype\":\"U8\",\"shape\":[", _ => "0,", 100_000_000), "64 axes");
        Refused(Huge("{\"a\":\"", _ => "xxxxxxxx", 100_000_000), "not valid JSON");
        Refused(Huge("", _ => "        ", 100_000_000), "not valid JSON");
        Refused(Huge("[", _ => "[[[[[[[[", 100_000_000), "found an array");
    }

    [Fact]
    public void Open_NearlyAMillionTensorsWithOneNameTwice_IsRefusedQuickly()
    {
        var header = new StringBuilder("{");
        for (var i = 0; i < 999_999; i++)
        {
            header.Append($"\"{i}\":").Append("""{"dtype":"U8","shape":[0],"data_offsets":[0,0]},""");
        }

        header.Append("\"500000\":").Append("""{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}""");
        Refused(_folder.Safetensors(header.ToString(), 0), "'500000' appears twice");
    }

    private static void Refused(string path, params ReadOnlySpan<string> parts) =>
        BadInput.Refused(() => SafetensorsFile.Open(path).Dispose(), parts);

    private string Huge(string start, Func<int, string> item, int length)
    {
        var header = new byte[length];
        header.AsSpan().Fill((byte)' ');
        var at = Encoding.UTF8.GetBytes(start, header);
        for (var i = 0; ; i++)
        {
            var text = item(i);
            if (at + text.Length > length)
            {
                break;
            }

            at += Encoding.UTF8.GetBytes(text, header.AsSpan(at));
        }

        return _folder.Write("huge.safetensors", TemporaryFolder.Bytes(header, 1));
    }
}
