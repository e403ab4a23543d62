// Seeded mutation fuzzing of every parser of this room: whatever the bytes, only an RtException may escape, and quickly.
// RT_FUZZ_INPUTS=1000000 runs that many inputs per parser; a failure names the seed that repeats it.
using System.Diagnostics;
using System.Globalization;
using System.IO.Compression;
using System.Text;
using Rt.Core;

namespace Rt.Formats.Tests;

[Collection(LargeInputs.Name)]
public sealed class FuzzTests : IDisposable
{
    private const int ShortRun = 2000;

    private static readonly string[] Tokens =
    [
        "-1", "-0", "0", "1", "4", "1e400", "0.5", "9223372036854775807", "9223372036854775808", "18446744073709551616", "4294967296", "\"", "\\", "\\ud800",
        "{", "}", "[", "]", ",", ":", "null", "true", "{}", "[]", "[[", "\"\"", "\"a\"", "\"F32\"", "\"F4\"", "\"BOOL\"", "\"shape\"", "\"__metadata__\"", "\n", "../", "\u0000", "é",
    ];

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Safetensors_MutatedFiles_OnlyKnownErrorsEscape()
    {
        var header = """{"__metadata__":{"format":"pt","k":"v"},"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"b":{"dtype":"BF16","shape":[3],"data_offsets":[16,22]},"c":{"dtype":"F4","shape":[2],"data_offsets":[22,23]},"d":{"dtype":"I64","shape":[0,5],"data_offsets":[23,23]}}"""u8.ToArray();
        var whole = TemporaryFolder.Bytes(header, 23);
        var accepted = Fuzz(1_000_000, random =>
        {
            // Half of the inputs keep the frame right, so that the faults reach the header's own checks.
            var bytes = random.Next(2) == 0 ? Mutate(random, whole) : TemporaryFolder.Bytes(Mutate(random, header), random.Next(8) == 0 ? random.Next(40) : 23);
            using var file = SafetensorsFile.Open(_folder.Write("x", bytes));
            foreach (var name in file.Entries.Keys)
            {
                Touch(file, name);
            }
        });
        Assert.True(accepted > 0, "no mutant was accepted: the mutations never leave a sound file, so they test little");
    }

    [Fact]
    public void Index_MutatedFiles_OnlyKnownErrorsEscape()
    {
        var index = """{"metadata":{"total_size":5},"weight_map":{"a":"1.safetensors","b":"2.safetensors"}}"""u8.ToArray();
        _folder.Safetensors("""{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}""", 2, "1.safetensors");
        _folder.Safetensors("""{"b":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}}""", 3, "2.safetensors");
        var accepted = Fuzz(2_000_000, random =>
        {
            _folder.Write("model.safetensors.index.json", Mutate(random, index));
            using var checkpoint = Checkpoint.Open(_folder.Path);
            Assert.All(checkpoint.Names, name => Assert.True(checkpoint.Entry(name).ByteLength is 2 or 3));
        });
        Assert.True(accepted > 0, "no mutant was accepted");
    }

    [Fact]
    public void Fields_MutatedConfigs_OnlyKnownErrorsEscape()
    {
        var config = """{"hidden_size":8,"rms_norm_eps":1e-6,"tie":true,"model_type":"llama","eos_token_id":[1,2],"rope_scaling":{"rope_type":"yarn","factor":4.0},"extra":null}"""u8.ToArray();
        var accepted = Fuzz(3_000_000, random =>
        {
            using var document = JsonFile.Parse("config.json", Mutate(random, config));
            var fields = new JsonFields("config.json", document.RootElement);
            _ = fields.Int("hidden_size", "n_embd", min: 1);
            _ = fields.Double("rms_norm_eps", 1e-5);
            _ = fields.Bool("tie", false);
            _ = fields.StringOrNull("model_type");
            _ = fields.Ints("eos_token_id");
            _ = fields.ObjectOrNull("rope_scaling")?.Double("factor", 1.0, min: 1);
            _ = fields.Unread();
        });
        Assert.True(accepted > 0, "no mutant was accepted");
    }

    [Theory]
    [InlineData("types", 4_000_000)]
    [InlineData("views", 5_000_000)]
    public void Torch_MutatedFiles_OnlyKnownErrorsEscape(string fixture, int seed)
    {
        var whole = File.ReadAllBytes(Fixtures.Path("torch", fixture, "pytorch_model.bin"));
        var entries = new Dictionary<string, byte[]>();
        using (var zip = new ZipArchive(new MemoryStream(whole)))
        {
            foreach (var entry in zip.Entries)
            {
                using var copy = new MemoryStream();
                using var stream = entry.Open();
                stream.CopyTo(copy);
                entries.Add(entry.FullName, copy.ToArray());
            }
        }

        var accepted = Fuzz(seed, random =>
        {
            var bytes = random.Next(2) == 0 ? Mutate(random, whole) : Archive(entries, Mutate(random, entries["pytorch_model/data.pkl"]));
            using var file = TorchCheckpoint.Open(_folder.Write("x", bytes));
            foreach (var tensor in file.Tensors)
            {
                Assert.True(tensor.ByteLength <= bytes.Length);
                file.CopyTo(tensor, Stream.Null);
            }
        });
        Assert.True(accepted > 0, "no mutant was accepted");
    }

    [Fact]
    public void HubModel_RandomNames_NeverLeadOutOfTheCache()
    {
        const string Letters = "ab./\\@-_%\0 :~";
        var accepted = Fuzz(6_000_000, random =>
        {
            var name = new string([.. Enumerable.Range(0, random.Next(1, 12)).Select(_ => Letters[random.Next(Letters.Length)])]);
            var model = HubModel.Parse(name);
            var reference = Path.GetFullPath(Path.Combine("/cache", model.CacheFolder, "refs", Path.Combine(model.Revision.Split('/'))));
            Assert.StartsWith("/cache/models--", reference, StringComparison.Ordinal);
            Assert.Contains("/refs/", reference, StringComparison.Ordinal);
        });
        Assert.True(accepted > 0, "no name was accepted");
    }

    private static int Fuzz(int firstSeed, Action<Random> parse)
    {
        var inputs = int.TryParse(Environment.GetEnvironmentVariable("RT_FUZZ_INPUTS"), NumberStyles.None, CultureInfo.InvariantCulture, out var asked) ? asked : ShortRun;
        var accepted = 0;
        for (var seed = firstSeed; seed < firstSeed + inputs; seed++)
        {
            var clock = Stopwatch.StartNew();
            try
            {
                parse(new Random(seed));
                accepted++;
            }
            catch (RtException e)
            {
                Assert.True(e.ExitCode is 2 or 3, $"seed {seed}: exit code {e.ExitCode}");
                Assert.False(e.Message.Contains('\n', StringComparison.Ordinal) || e.Message.Length > 2000, $"seed {seed}: {e.Message}");
            }
            catch (Exception e)
            {
                Assert.Fail($"seed {seed}: {e}");
            }

            Assert.True(clock.Elapsed < TimeSpan.FromSeconds(5), $"seed {seed}: took {clock.Elapsed}");
        }

        return accepted;
    }

    private static byte[] Mutate(Random random, byte[] original)
    {
        var bytes = new List<byte>(original);
        for (var changes = random.Next(1, 4); changes > 0; changes--)
        {
            var at = random.Next(bytes.Count + 1);
            var length = Math.Min(random.Next(1, 9), bytes.Count - at);
            switch (random.Next(8))
            {
                case 0 when at < bytes.Count:
                    bytes[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 1 when at < bytes.Count:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 2 when at < bytes.Count:
                    bytes[at] = random.Next(3) switch { 0 => 0, 1 => 0xff, _ => 0x7f };
                    break;
                case 3:
                    bytes.RemoveRange(at, length);
                    break;
                case 4:
                    bytes.InsertRange(at, bytes.GetRange(at, length));
                    break;
                case 5:
                    bytes.InsertRange(at, Encoding.UTF8.GetBytes(Tokens[random.Next(Tokens.Length)]));
                    break;
                case 6:
                    ReplaceNumber(random, bytes, at);
                    break;
                case 7 when random.Next(4) == 0:
                    bytes.RemoveRange(at, bytes.Count - at);
                    break;
            }
        }

        return [.. bytes];
    }

    private static void ReplaceNumber(Random random, List<byte> bytes, int at)
    {
        var start = bytes.FindIndex(at, b => char.IsAsciiDigit((char)b));
        if (start >= 0)
        {
            var end = start;
            while (end < bytes.Count && char.IsAsciiDigit((char)bytes[end]))
            {
                end++;
            }

            bytes.RemoveRange(start, end - start);
            bytes.InsertRange(start, Encoding.UTF8.GetBytes(Tokens[random.Next(11)]));
        }
    }

    private static byte[] Archive(Dictionary<string, byte[]> entries, byte[] pickle)
    {
        using var bytes = new MemoryStream();
        using (var zip = new ZipArchive(bytes, ZipArchiveMode.Create, leaveOpen: true))
        {
            foreach ((var name, var content) in entries)
            {
                using var stream = zip.CreateEntry(name, CompressionLevel.NoCompression).Open();
                stream.Write(name.EndsWith("data.pkl", StringComparison.Ordinal) ? pickle : content);
            }
        }

        return bytes.ToArray();
    }

    private static unsafe void Touch(SafetensorsFile file, string name)
    {
        Tensor tensor;
        try
        {
            tensor = file.Tensor(name);
        }
        catch (BadFileException)
        {
            // Packed types and ranks above 3 have no view; their bytes must still be reachable.
            _ = file.Bytes(name, 0, (int)file.Entry(name).ByteLength).ToArray();
            return;
        }

        Assert.Equal(file.Bytes(name, 0, (int)file.Entry(name).ByteLength).ToArray(), new ReadOnlySpan<byte>(tensor.HostPointer(), (int)(tensor.Count * tensor.DType.Bytes())).ToArray());
    }
}
