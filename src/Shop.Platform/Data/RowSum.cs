using System.Buffers;
using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Shop.Platform.Data;

/// <summary>Counts rows and sums up their hashes: of the same rows in any order it is the same.</summary>
internal sealed class RowSum
{
    private readonly ArrayBufferWriter<byte> _row = new();
    private ulong _hashes;

    public long Rows { get; private set; }

    public bool IsSame(RowSum other) => Rows == other.Rows && _hashes == other._hashes;

    public void Add(object?[] row)
    {
        _row.ResetWrittenCount();
        foreach (object? value in row)
        {
            Write(value is null ? 0 : 1);
            switch (value)
            {
                case null: break;
                case string text: Write(Encoding.UTF8.GetBytes(text)); break;
                case byte[] bytes: Write(bytes); break;
                case bool flag: Write(flag ? 1 : 0); break;
                default: Write((long)value); break;
            }
        }

        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(_row.WrittenSpan, hash);
        _hashes = unchecked(_hashes + BinaryPrimitives.ReadUInt64LittleEndian(hash));
        Rows++;
    }

    // With its length: no two rows read the same.
    private void Write(byte[] bytes)
    {
        Write(bytes.Length);
        _row.Write(bytes);
    }

    private void Write(long number)
    {
        BinaryPrimitives.WriteInt64LittleEndian(_row.GetSpan(sizeof(long)), number);
        _row.Advance(sizeof(long));
    }
}
