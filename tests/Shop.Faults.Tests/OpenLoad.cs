using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using System.Threading.Channels;
using HdrHistogram;

namespace Shop.Faults.Tests;

/// <summary>
/// Requests that arrive at a rate of their own, whatever becomes of those before them; latency counts from the moment
/// of arrival. By bare sockets, since the load must cost less than what it loads.
/// </summary>
internal sealed class OpenLoad(Uri address, string path, string? body = null) : IAsyncDisposable
{
    // Requests that may wait for the next connections that come free: one that finds a request goes on at once, one
    // that finds none has to be woken, which costs more.
    private const int MaxWaiting = 64;

    private readonly byte[] _request = Encoding.ASCII.GetBytes(body is null
        ? $"GET {path} HTTP/1.1\r\nHost: {address.Authority}\r\n\r\n"
        : $"POST {path} HTTP/1.1\r\nHost: {address.Authority}\r\nContent-Type: application/json\r\n"
            + $"Content-Length: {Encoding.UTF8.GetByteCount(body)}\r\n\r\n{body}");

    private readonly Channel<long> _arrivals = Channel.CreateUnbounded<long>();
    private readonly List<Task> _connections = [];
    private Tally _tally = new();
    private int _waiting;
    private volatile bool _asksAgain;

    /// <summary>Opens connections; each has one request under way at a time.</summary>
    public async Task<OpenLoad> ConnectAsync(int connections)
    {
        for (int i = 0; i < connections; i++)
        {
            var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            await socket.ConnectAsync(address.Host, address.Port);
            _connections.Add(Task.Run(() => AnswerArrivalsAsync(socket)));
        }

        return this;
    }

    /// <summary>So many requests a second for so long, and then until each has its answer.</summary>
    public async Task<Tally> RunAsync(double perSecond, TimeSpan time)
    {
        _tally = new Tally();
        long start = Stopwatch.GetTimestamp();
        long arrived = 0;
        for (TimeSpan elapsed = TimeSpan.Zero; elapsed < time; elapsed = Stopwatch.GetElapsedTime(start))
        {
            long due = (long)(elapsed.TotalSeconds * perSecond) - arrived;
            arrived += due;
            // Nobody else waits in a client that has no connection left: it goes elsewhere.
            long taken = Math.Clamp(_connections.Count + MaxWaiting - Volatile.Read(ref _waiting), 0, due);
            for (int i = 0; i < taken; i++) Arrive();
            _tally.Unsent(due - taken);
            await Task.Delay(1);
        }

        _tally.Time = Stopwatch.GetElapsedTime(start);
        await AnsweredAsync();
        return _tally;
    }

    /// <summary>Each connection asks again as soon as it has its answer: what can be served at all.</summary>
    public async Task<Tally> SaturateAsync(TimeSpan time)
    {
        _tally = new Tally();
        long start = Stopwatch.GetTimestamp();
        _asksAgain = true;
        for (int i = 0; i < _connections.Count; i++) Arrive();
        await Task.Delay(time);
        _tally.Time = Stopwatch.GetElapsedTime(start);
        _asksAgain = false;
        await AnsweredAsync();
        return _tally;
    }

    /// <summary>
    /// Requests of a few clients with a thread each, until told to stop. What the load itself measures is its own wait
    /// for a core too, and that of its thread pool.
    /// </summary>
    public async Task<Tally> AskFromThreadsAsync(int clients, TimeSpan pause, CancellationToken done)
    {
        var tally = new Tally();
        long start = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, clients).Select(_ => Task.Factory.StartNew(() =>
        {
            using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            socket.Connect(address.Host, address.Port);
            byte[] buffer = new byte[8192];
            do
            {
                long asked = Stopwatch.GetTimestamp();
                socket.Send(_request);
                int length = 0;
                while (!IsWhole(buffer.AsSpan(0, length)))
                    length += Received(socket.Receive(buffer, length, buffer.Length - length, SocketFlags.None));
                Note(tally, buffer.AsSpan(0, length), asked);
            }
            while (!done.WaitHandle.WaitOne(pause));
        }, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)));
        tally.Time = Stopwatch.GetElapsedTime(start);
        return tally;
    }

    public async ValueTask DisposeAsync()
    {
        _arrivals.Writer.Complete();
        await Task.WhenAll(_connections);
    }

    private async Task AnsweredAsync()
    {
        while (Volatile.Read(ref _waiting) > 0)
        {
            // A connection that ended leaves its request without an answer.
            if (_connections.Find(connection => connection.IsFaulted) is { } ended) await ended;
            await Task.Delay(1);
        }
    }

    private void Arrive()
    {
        Interlocked.Increment(ref _waiting);
        _arrivals.Writer.TryWrite(Stopwatch.GetTimestamp());
    }

    private async Task AnswerArrivalsAsync(Socket socket)
    {
        using (socket)
        {
            byte[] buffer = new byte[8192];
            await foreach (long arrival in _arrivals.Reader.ReadAllAsync())
            {
                await socket.SendAsync(_request);
                int length = 0;
                while (!IsWhole(buffer.AsSpan(0, length)))
                    length += Received(await socket.ReceiveAsync(buffer.AsMemory(length)));
                Note(_tally, buffer.AsSpan(0, length), arrival);
                if (_asksAgain) Arrive();
                Interlocked.Decrement(ref _waiting);
            }
        }
    }

    private static int Received(int bytes) =>
        bytes > 0 ? bytes : throw new IOException("The shop closed a connection in the middle.");

    private static void Note(Tally tally, ReadOnlySpan<byte> answer, long since) =>
        tally.Add(int.Parse(answer.Slice(9, 3)), answer.IndexOf("Retry-After: "u8) >= 0,
            Stopwatch.GetElapsedTime(since));

    private static bool IsWhole(ReadOnlySpan<byte> answer)
    {
        int head = answer.IndexOf("\r\n\r\n"u8);
        if (head < 0) return false;
        int length = answer.IndexOf("Content-Length: "u8) + "Content-Length: ".Length;
        return answer.Length - head - 4 == int.Parse(answer[length..(length + answer[length..].IndexOf((byte)'\r'))]);
    }

    /// <summary>How a run went.</summary>
    internal sealed class Tally
    {
        private readonly LongConcurrentHistogram _accepted = new(1, 60_000_000, 3), _refused = new(1, 60_000_000, 3);
        private long _unsent, _withoutRetryAfter, _other;

        public TimeSpan Time { get; set; }

        public long Accepted => _accepted.TotalCount;

        public long Refused => _refused.TotalCount;

        public long Other => _other;

        public long WithoutRetryAfter => _withoutRetryAfter;

        public double PerSecond => Accepted / Time.TotalSeconds;

        public void Unsent(long requests) => _unsent += requests;

        public void Add(int status, bool hasRetryAfter, TimeSpan latency)
        {
            long microseconds = Math.Max(1, (long)latency.TotalMicroseconds);
            if (status is 200 or 201) _accepted.RecordValue(microseconds);
            else if (status is 429 or 503) _refused.RecordValue(microseconds);
            else Interlocked.Increment(ref _other);
            if (status is 429 or 503 && !hasRetryAfter) Interlocked.Increment(ref _withoutRetryAfter);
        }

        public TimeSpan AcceptedAt(double percentile) => Of(_accepted, percentile);

        public TimeSpan RefusedAt(double percentile) => Of(_refused, percentile);

        public override string ToString() =>
            $"{(Accepted + Refused + _unsent) / Time.TotalSeconds:0} arrived a second, {PerSecond:0} accepted "
            + $"(p50 {AcceptedAt(50).TotalMilliseconds:0} ms, p99 {AcceptedAt(99).TotalMilliseconds:0} ms), "
            + $"{Refused / Time.TotalSeconds:0} refused (p50 {RefusedAt(50).TotalMilliseconds:0} ms, "
            + $"p99 {RefusedAt(99).TotalMilliseconds:0} ms), {_unsent / Time.TotalSeconds:0} had no connection left";

        private static TimeSpan Of(LongConcurrentHistogram histogram, double percentile) =>
            histogram.TotalCount == 0
                ? TimeSpan.Zero
                : TimeSpan.FromMicroseconds(histogram.GetValueAtPercentile(percentile));
    }
}
