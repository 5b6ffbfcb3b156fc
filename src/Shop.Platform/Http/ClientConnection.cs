using System.Buffers;
using System.Diagnostics;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Shop.Platform.Security;

namespace Shop.Platform.Http;

/// <summary>
/// One connection, observed between the server and its socket: since when it waits for its client, and how many bytes
/// it holds. That decides which connections are evicted if there is no room: see <see cref="ClientConnections"/>.
/// </summary>
/// <remarks>
/// A request that arrives in one piece, and a response that is read at once, only cost the update of a few fields.
/// </remarks>
internal sealed class ClientConnection : IDuplexPipe, IDisposable
{
    /// <summary>How long a connection that was asked to close may take before it is aborted.</summary>
    private static readonly TimeSpan MaxEnd = TimeSpan.FromSeconds(1);

    private readonly ClientConnections _all;
    private readonly ConnectionContext _connection;
    private readonly CountingReader _requests;
    private long _waitsSince;
    private long _unreadSince;
    private long _requestBytes;
    private long _responseBytes;
    private long _body;
    private volatile bool _isAnswering;
    private volatile bool _hasLeft;

    public ClientConnection(ClientConnections all, ModuleListener listener, ConnectionContext connection)
    {
        _all = all;
        _connection = connection;
        Listener = listener;
        Client = ClientAddress.Of((connection.RemoteEndPoint as System.Net.IPEndPoint)?.Address);
        _requests = new CountingReader(connection.Transport.Input, this);
        Output = new CountingWriter(connection.Transport.Output, this);
    }

    /// <summary>The listener that accepted it.</summary>
    public ModuleListener Listener { get; }

    /// <summary>
    /// Whether it is being closed to make room, or has ended: then it is not counted as open. Kept by
    /// <see cref="ClientConnections"/>.
    /// </summary>
    public bool IsClosing { get; set; }

    /// <summary>The client.</summary>
    public string Client { get; }

    /// <inheritdoc/>
    public PipeReader Input => _requests;

    /// <inheritdoc/>
    public PipeWriter Output { get; }

    /// <summary>Bytes of a request that is not read to its end, as they are counted.</summary>
    public long RequestBytes => Volatile.Read(ref _requestBytes);

    /// <summary>Bytes of a response that the client has not read, as they are counted.</summary>
    public long ResponseBytes => Volatile.Read(ref _responseBytes);

    /// <summary>Whether there is no memory for its request, which must be refused.</summary>
    public bool IsOverBudget { get; private set; }

    /// <summary>Since when it waits for its client to send, by the stopwatch; 0 if it does not.</summary>
    public long WaitsSince => Volatile.Read(ref _waitsSince);

    /// <summary>Since when it waits for its client to read, by the stopwatch; 0 if it does not.</summary>
    public long UnreadSince => Volatile.Read(ref _unreadSince);

    /// <summary>Answers a request whose head has arrived.</summary>
    public Task AnswerAsync(HttpContext http)
    {
        _isAnswering = true;
        Task answering = Listener.Pipeline(http);
        if (answering.IsCompletedSuccessfully) Answered();
        return answering;
    }

    /// <summary>
    /// The request is answered. If the answer was asynchronous, the pipeline calls this: awaiting it here as well would
    /// allocate one more object.
    /// </summary>
    public void Answered()
    {
        _isAnswering = false;
        _requests.ForgetHead();
    }

    /// <summary>Counts the bytes of a chunked body, which the server keeps in a pipe of its own.</summary>
    public void CountBody(long bytes)
    {
        _body = bytes;
        Count(bytes);
    }

    /// <summary>Whether there is memory for a response of this size.</summary>
    public bool HasRoomForResponse(int bytes) => _all.HasRoomForResponse(this, CountingWriter.Estimate(bytes));

    /// <summary>Closes the connection to make room: when the server is done with it, or after a second.</summary>
    public void Evict()
    {
        if (_isAnswering || RequestBytes > 0 || UnreadSince != 0
            || _connection.Features.Get<IConnectionLifetimeNotificationFeature>() is not { } lifetime)
        {
            Abort();
            return;
        }

        lifetime.RequestClose();
        _ = AbortAfterAsync();
    }

    /// <summary>From now on its bytes are not counted.</summary>
    public void Leave()
    {
        _hasLeft = true;
        Count(0);
        CountResponse(0);
    }

    /// <summary>Aborts the connection at once. Its bytes are no longer counted.</summary>
    public void Abort()
    {
        Leave();
        _connection.Abort(new ConnectionAbortedException("There is no memory left for clients that are so slow."));
    }

    /// <summary>The connection has ended.</summary>
    public void Dispose() => _all.Remove(this);

    private async Task AbortAfterAsync()
    {
        CancellationToken closed = _connection.ConnectionClosed;
        // A request that came at the last moment is answered first.
        do await Task.Delay(MaxEnd, closed).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        while (_isAnswering && !closed.IsCancellationRequested);
        // The server may be done with it, and its client leave the last response unread.
        if (!closed.IsCancellationRequested) Abort();
    }

    private void Count(long bytes)
    {
        if (_hasLeft) bytes = 0;
        long more = bytes - Interlocked.Exchange(ref _requestBytes, bytes);
        if (more != 0) IsOverBudget = !_all.TryHoldRequest(this, more);
        if (_hasLeft && bytes > 0) Count(0); // it has left meanwhile
    }

    private void CountResponse(long bytes)
    {
        if (_hasLeft) bytes = 0;
        long before = ResponseBytes, more = bytes - before;
        if (more <= 0)
        {
            _all.ReleaseResponse(Interlocked.Exchange(ref _responseBytes, bytes) - bytes);
        }
        else if (!_all.TryHoldResponse(this, more))
        {
            if (_hasLeft) return;
            // The response has started, so it can only be aborted.
            Listener.Metrics.CountRefusal(RequestLimit.NoMemory);
            Abort();
        }
        else if (Interlocked.CompareExchange(ref _responseBytes, bytes, before) != before)
        {
            _all.ReleaseResponse(more); // it has left meanwhile
        }

        if (_hasLeft && bytes > 0) CountResponse(0); // it has left meanwhile
    }

    /// <summary>Counts what arrives. The server reads if it wants a head, or the rest of a body.</summary>
    private sealed class CountingReader(PipeReader arriving, ClientConnection connection) : PipeReader
    {
        /// <summary>Memory is allocated in blocks.</summary>
        private const int Block = 4096;

        private long _at;
        private long _head;
        private long _held;

        /// <summary>The request is answered, so nothing is kept of its head any more.</summary>
        public void ForgetHead() => _head = 0;

        public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
        {
            ValueTask<ReadResult> reading = arriving.ReadAsync(cancellationToken);
            if (!reading.IsCompleted)
            {
                Volatile.Write(ref connection._waitsSince, Stopwatch.GetTimestamp());
                if (_held + _head > 0 || connection.RequestBytes > 0) Count();
            }

            return reading;
        }

        public override bool TryRead(out ReadResult result) => arriving.TryRead(out result);

        public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

        public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
        {
            Volatile.Write(ref connection._waitsSince, 0);
            long at = Position(consumed);
            // If the pipe has started over, its position is what was consumed since.
            if (!connection._isAnswering) _head += at >= _at ? at - _at : at;
            _at = at;
            // What was examined but not consumed is an incomplete head or body.
            _held = Position(examined) - at;
            if (_held + _head > Block || connection.RequestBytes > 0) Count();
            arriving.AdvanceTo(consumed, examined);
        }

        public override void CancelPendingRead() => arriving.CancelPendingRead();

        public override void Complete(Exception? exception = null) => arriving.Complete(exception);

        // The server keeps what it has read of a head as text, of two bytes a character.
        private void Count() =>
            connection.Count(connection._body + ((_held + Block - 1) / Block * Block) + (2 * _head));

        private static long Position(SequencePosition position) =>
            position.GetObject() is ReadOnlySequenceSegment<byte> segment ? segment.RunningIndex + position.GetInteger()
                : 0;
    }

    /// <summary>
    /// Counts what is sent. The server flushes a response when it is written, and continues when most of it has been
    /// handed to the network.
    /// </summary>
    private sealed class CountingWriter(PipeWriter output, ClientConnection connection) : PipeWriter
    {
        /// <summary>
        /// From this size on, a response is counted while it is written; a smaller one only if its client does not read
        /// it.
        /// </summary>
        private const int Step = 64 * 1024;

        private readonly int _uncounted = connection._all.Budget.ResponseBuffer;
        private long _written;
        private long _counted;

        /// <summary>Twice the size: the objects that it is made from need about as much again.</summary>
        public static long Estimate(long bytes) => 2 * bytes;

        public override bool CanGetUnflushedBytes => output.CanGetUnflushedBytes;

        public override long UnflushedBytes => output.UnflushedBytes;

        public override Memory<byte> GetMemory(int sizeHint = 0) => output.GetMemory(sizeHint);

        public override Span<byte> GetSpan(int sizeHint = 0) => output.GetSpan(sizeHint);

        public override void Advance(int bytes)
        {
            output.Advance(bytes);
            _written += bytes;
            if (_written - _counted < Step) return;
            _counted = _written;
            connection.CountResponse(Estimate(_written));
        }

        public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
        {
            ValueTask<FlushResult> flushing = output.FlushAsync(cancellationToken);
            if (!flushing.IsCompletedSuccessfully) return UntilReadAsync(flushing);
            Read();
            return flushing;
        }

        public override void CancelPendingFlush() => output.CancelPendingFlush();

        public override void Complete(Exception? exception = null) => output.Complete(exception);

        private async ValueTask<FlushResult> UntilReadAsync(ValueTask<FlushResult> flushing)
        {
            Volatile.Write(ref connection._unreadSince, Stopwatch.GetTimestamp());
            // Further requests may have arrived behind this one.
            connection.CountResponse(Estimate(_written + _uncounted) + MemoryBudget.RequestBuffer);
            try
            {
                return await flushing;
            }
            finally
            {
                Read();
                Volatile.Write(ref connection._unreadSince, 0);
            }
        }

        private void Read()
        {
            _written = _counted = 0;
            if (connection.ResponseBytes > 0) connection.CountResponse(0);
        }
    }
}
