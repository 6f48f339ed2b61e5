// TensorBoard's event file, as much of it as a training run needs: scalars and texts. Records are framed as in
// TensorFlow's record_writer (length, masked CRC-32C, data, masked CRC-32C), and each holds one Event protocol buffer.

using System.Buffers.Binary;
using System.Numerics;
using System.Text;

namespace NanoGpt.Training;

/// <summary>Appends scalars and texts to one event file. Flushed after each record, so a live TensorBoard sees them.</summary>
internal sealed class EventFile : IDisposable
{
    private readonly FileStream _file;
    private readonly TimeProvider _time;

    /// <param name="folder">Made if missing; each start has a file of its own there.</param>
    /// <param name="resumedAt">The step a run goes on from: TensorBoard drops what earlier files have of it and of later ones. Null for a run that begins.</param>
    /// <param name="time">The clock.</param>
    public EventFile(string folder, int? resumedAt = null, TimeProvider? time = null)
    {
        _time = time ?? TimeProvider.System;
        Directory.CreateDirectory(folder);
        var name = $"events.out.tfevents.{_time.GetUtcNow().ToUnixTimeMilliseconds()}.{Environment.ProcessId}.nanogpt";
        _file = new FileStream(Path.Combine(folder, name), FileMode.Append, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
        Write(step: 0, new Message().Text(3, "brain.Event:2")); // file_version, which must come first
        if (resumedAt is { } step) Write(step, new Message().Nested(7, new Message().Integer(1, 1))); // session_log { status: START }
    }

    /// <summary>One point of the curve <paramref name="tag"/>.</summary>
    public void Scalar(string tag, long step, double value) =>
        Write(step, new Message().Nested(5, new Message().Nested(1, new Message().Text(1, tag).Float(2, (float)value))));

    /// <summary>A text for the Text page.</summary>
    public void Text(string tag, long step, string text)
    {
        var metadata = new Message().Nested(1, new Message().Text(1, "text")); // plugin_data.plugin_name
        var shape = new Message().Nested(2, new Message().Integer(1, 1));      // one dimension of 1
        var tensor = new Message().Integer(1, 7 /* DT_STRING */).Nested(2, shape).Text(8, text);
        var value = new Message().Text(1, tag).Nested(8, tensor).Nested(9, metadata);
        Write(step, new Message().Nested(5, new Message().Nested(1, value)));
    }

    public void Dispose() => _file.Dispose();

    private void Write(long step, Message content)
    {
        var now = (_time.GetUtcNow() - DateTimeOffset.UnixEpoch).TotalSeconds;
        var data = new Message().Double(1, now).Integer(2, step).Append(content).ToArray();
        var record = new byte[8 + 4 + data.Length + 4];
        BinaryPrimitives.WriteInt64LittleEndian(record, data.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(8), MaskedCrc(record.AsSpan(0, 8)));
        data.CopyTo(record.AsSpan(12));
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(12 + data.Length), MaskedCrc(data));
        var end = _file.Length;
        try
        {
            _file.Write(record);
            _file.Flush();
        }
        catch (IOException)
        {
            _file.SetLength(end); // half a record would hide all that come after it
            throw;
        }
    }

    private static uint MaskedCrc(ReadOnlySpan<byte> data)
    {
        var crc = uint.MaxValue;
        foreach (var b in data) crc = BitOperations.Crc32C(crc, b);
        crc = ~crc;
        return unchecked(BitOperations.RotateRight(crc, 15) + 0xa282ead8);
    }

    /// <summary>A protocol buffer under construction.</summary>
    private sealed class Message
    {
        private readonly List<byte> _bytes = [];

        public byte[] ToArray() => [.. _bytes];

        public Message Append(Message other)
        {
            _bytes.AddRange(other._bytes);
            return this;
        }

        public Message Integer(int field, long value) => Key(field, 0).Varint((ulong)value);

        public Message Double(int field, double value)
        {
            Key(field, 1);
            _bytes.AddRange(BitConverter.GetBytes(value)); // little endian, as all platforms of libtorch are
            return this;
        }

        public Message Float(int field, float value)
        {
            Key(field, 5);
            _bytes.AddRange(BitConverter.GetBytes(value));
            return this;
        }

        public Message Text(int field, string value) => Bytes(field, Encoding.UTF8.GetBytes(value));

        public Message Nested(int field, Message value) => Bytes(field, value.ToArray());

        private Message Bytes(int field, byte[] value)
        {
            Key(field, 2).Varint((ulong)value.Length);
            _bytes.AddRange(value);
            return this;
        }

        private Message Key(int field, int wireType) => Varint((ulong)((field << 3) | wireType));

        private Message Varint(ulong value)
        {
            for (; value >= 0x80; value >>= 7) _bytes.Add((byte)(value | 0x80));
            _bytes.Add((byte)value);
            return this;
        }
    }
}
