using System.Buffers.Binary;
using System.Text;

namespace Shop.Telemetry.Tests;

/// <summary>A message of protobuf, read without its schema: fields by number, as the wire format has them.</summary>
internal sealed class Protobuf
{
    private readonly List<(int Number, ulong Number64, ReadOnlyMemory<byte> Bytes)> _fields = [];

    public Protobuf(ReadOnlyMemory<byte> message)
    {
        ReadOnlySpan<byte> all = message.Span;
        for (int at = 0; at < all.Length;)
        {
            ulong key = Varint(all, ref at);
            (int number, ulong value, ReadOnlyMemory<byte> bytes) field = ((int)(key >> 3), 0, default);
            switch (key & 7)
            {
                case 0:
                    field.value = Varint(all, ref at);
                    break;
                case 1:
                    field.value = BinaryPrimitives.ReadUInt64LittleEndian(all[at..]);
                    at += 8;
                    break;
                case 2:
                    int length = (int)Varint(all, ref at);
                    field.bytes = message.Slice(at, length);
                    at += length;
                    break;
                case 5:
                    field.value = BinaryPrimitives.ReadUInt32LittleEndian(all[at..]);
                    at += 4;
                    break;
                default:
                    throw new InvalidDataException($"Field {number(key)} has the wire type {key & 7}.");
            }

            _fields.Add(field);
        }

        static ulong number(ulong key) => key >> 3;
    }

    public IEnumerable<Protobuf> Messages(int number) =>
        _fields.Where(field => field.Number == number).Select(field => new Protobuf(field.Bytes));

    public Protobuf Message(int number) => Messages(number).FirstOrDefault() ?? new Protobuf(default);

    public ulong Number(int number) => _fields.LastOrDefault(field => field.Number == number).Number64;

    public string Text(int number) =>
        Encoding.UTF8.GetString(_fields.LastOrDefault(field => field.Number == number).Bytes.Span);

    public string Hex(int number) =>
        Convert.ToHexStringLower(_fields.LastOrDefault(field => field.Number == number).Bytes.Span);

    /// <summary>Attributes of OpenTelemetry, as text.</summary>
    public Dictionary<string, string> Attributes(int number) => Messages(number)
        .ToDictionary(pair => pair.Text(1), pair => pair.Message(2).AnyValue(), StringComparer.Ordinal);

    /// <summary>A value of OpenTelemetry, as text.</summary>
    public string AnyValue() => _fields.Count == 0 ? "" : _fields[0] switch
    {
        (1, _, var text) => Encoding.UTF8.GetString(text.Span),
        (2, var truth, _) => truth == 1 ? "true" : "false",
        (3, var whole, _) => ((long)whole).ToString(),
        (4, var real, _) => BitConverter.UInt64BitsToDouble(real).ToString(),
        var other => throw new InvalidDataException($"A value of kind {other.Number} is not read here."),
    };

    private static ulong Varint(ReadOnlySpan<byte> bytes, ref int at)
    {
        ulong value = 0;
        for (int shift = 0; ; shift += 7)
        {
            byte next = bytes[at++];
            value |= (ulong)(next & 0x7f) << shift;
            if (next < 0x80) return value;
        }
    }
}
