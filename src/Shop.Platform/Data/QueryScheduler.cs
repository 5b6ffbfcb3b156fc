namespace Shop.Platform.Data;

/// <summary>
/// Runs the queries of one module that may take long (lists, counts, searches) on threads of its own. Clients take
/// turns, each query has a deadline, and the number that may wait is bounded. So slow queries of one client hold up
/// neither the thread pool, nor other modules, nor other clients.
/// </summary>
/// <remarks>
/// A read of one row by its key stays with its request: it costs less than a switch to another thread.
/// </remarks>
public sealed class QueryScheduler : IDisposable
{
    /// <summary>Queries of one client that may wait.</summary>
    public const int MaxWaitingPerClient = 1024;

    /// <summary>Queries of all clients that may wait.</summary>
    public const int MaxWaiting = 4096;

    private readonly string _module;
    private readonly TimeSpan _deadline;
    private readonly Lock _lock = new();
    private readonly SemaphoreSlim _available = new(0);
    private readonly Dictionary<string, Queue<ScheduledQuery>> _waitingByClient = new(StringComparer.Ordinal);

    // The clients that have queries waiting; the first has the next turn.
    private readonly Queue<string> _turns = new();
    private readonly List<Thread> _threads = [];
    private int _waiting;
    private bool _isDisposed;

    /// <summary>A scheduler whose threads start with its first query.</summary>
    /// <param name="module">The module, for the names of the threads.</param>
    /// <param name="deadline">How long a query may take, its wait included.</param>
    public QueryScheduler(string module, TimeSpan deadline)
    {
        _module = module;
        _deadline = deadline;
    }

    /// <summary>
    /// The most threads: half of the processors, so that slow queries leave the other half to everything else.
    /// </summary>
    public static int MaxThreads { get; } = Math.Max(1, Environment.ProcessorCount / 2);

    internal int Waiting
    {
        get
        {
            lock (_lock) return _waiting;
        }
    }

    internal bool IsDisposed
    {
        get
        {
            lock (_lock) return _isDisposed;
        }
    }

    /// <summary>Runs a query once it is its client's turn.</summary>
    /// <param name="client">The client whose turn is used.</param>
    /// <param name="query">The query. It must stop soon after its token is cancelled.</param>
    /// <param name="aborted">Cancelled when nobody waits for the result any more.</param>
    /// <exception cref="TooManyQueriesException">Too many queries are waiting.</exception>
    /// <exception cref="QueryTimeoutException">It was not done within the deadline.</exception>
    /// <exception cref="OperationCanceledException">Nobody waits for it any more.</exception>
    public Task<T> RunAsync<T>(string client, Func<CancellationToken, T> query, CancellationToken aborted)
    {
        var scheduled = new ScheduledQuery<T>(query, _module, _deadline, aborted);
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            Queue<ScheduledQuery>? ofClient = _waitingByClient.GetValueOrDefault(client);
            if (_waiting == MaxWaiting || ofClient?.Count == MaxWaitingPerClient)
            {
                scheduled.Dispose();
                throw new TooManyQueriesException(_module);
            }

            if (ofClient is null)
            {
                _waitingByClient[client] = ofClient = new Queue<ScheduledQuery>();
                _turns.Enqueue(client);
            }

            ofClient.Enqueue(scheduled);
            _waiting++;
            if (_threads.Count < MaxThreads) StartThread();
            _available.Release();
        }

        return scheduled.Result;
    }

    /// <summary>
    /// Runs a query of a store as above. If the store waits, a thread of the scheduler waits with it.
    /// </summary>
    public Task<T> RunAsync<T>(string client, Func<CancellationToken, ValueTask<T>> query, CancellationToken aborted) =>
        RunAsync<T>(client, end => query(end).AsTask().GetAwaiter().GetResult(), aborted);

    /// <summary>Ends the threads. Queries that wait are not run.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            if (_isDisposed) return;
            _isDisposed = true;
        }

        _available.Release(_threads.Count + 1);
        foreach (Thread thread in _threads) thread.Join();
        foreach (ScheduledQuery query in _waitingByClient.Values.SelectMany(queries => queries)) query.Cancel();
        _available.Dispose();
    }

    private void StartThread()
    {
        var thread = new Thread(Run) { Name = $"{_module} queries", IsBackground = true };
        _threads.Add(thread);
        thread.Start();
    }

    private void Run()
    {
        while (true)
        {
            _available.Wait(); // this thread belongs to the scheduler, so it may wait
            ScheduledQuery query;
            lock (_lock)
            {
                if (_isDisposed) return;
                query = TakeNext();
            }

            query.Run();
        }
    }

    private ScheduledQuery TakeNext()
    {
        string client = _turns.Dequeue();
        Queue<ScheduledQuery> ofClient = _waitingByClient[client];
        ScheduledQuery query = ofClient.Dequeue();
        _waiting--;
        if (ofClient.Count > 0) _turns.Enqueue(client);
        else _waitingByClient.Remove(client);
        return query;
    }

    private abstract class ScheduledQuery : IDisposable
    {
        public abstract void Run();

        public abstract void Cancel();

        public abstract void Dispose();
    }

    private sealed class ScheduledQuery<T> : ScheduledQuery
    {
        private readonly Func<CancellationToken, T> _query;
        private readonly string _module;
        private readonly TimeSpan _deadline;
        private readonly CancellationToken _aborted;
        private readonly CancellationTokenSource _end;
        private readonly CancellationTokenRegistration _ended;
        private readonly TaskCompletionSource<T> _result = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public ScheduledQuery(Func<CancellationToken, T> query, string module, TimeSpan deadline,
            CancellationToken aborted)
        {
            _query = query;
            _module = module;
            _deadline = deadline;
            _aborted = aborted;
            _end = CancellationTokenSource.CreateLinkedTokenSource(aborted);
            // The client gets its answer at the deadline, even if the query has not started by then.
            _ended = _end.Token.Register(static query => ((ScheduledQuery<T>)query!).Fail(), this);
            _end.CancelAfter(deadline);
        }

        public Task<T> Result => _result.Task;

        public override void Run()
        {
            try
            {
                if (!_end.IsCancellationRequested) _result.TrySetResult(_query(_end.Token));
            }
            catch (OperationCanceledException) when (_end.IsCancellationRequested)
            {
                Fail();
            }
            catch (Exception exception)
            {
                _result.TrySetException(exception);
            }
            finally
            {
                Dispose();
            }
        }

        public override void Cancel()
        {
            _result.TrySetCanceled();
            Dispose();
        }

        public override void Dispose()
        {
            _ended.Dispose();
            _end.Dispose();
        }

        private void Fail()
        {
            if (_aborted.IsCancellationRequested) _result.TrySetCanceled(_aborted);
            else _result.TrySetException(new QueryTimeoutException(_module, _deadline));
        }
    }
}

/// <summary>Too many queries of a module are waiting.</summary>
public sealed class TooManyQueriesException(string module) : Exception($"Too many queries of {module} are waiting.");

/// <summary>A query was not done within its deadline.</summary>
public sealed class QueryTimeoutException(string module, TimeSpan deadline)
    : Exception($"A query of {module} took longer than {deadline.TotalSeconds} s.")
{
    /// <summary>How long it was allowed to take.</summary>
    public TimeSpan Deadline { get; } = deadline;
}
