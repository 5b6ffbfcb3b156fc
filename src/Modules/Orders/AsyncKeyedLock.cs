namespace Shop.Orders;

/// <summary>
/// A lock for each key, which is awaited. One request at a time holds a key, so of two identical requests one places
/// the order, and the other is answered from it.
/// </summary>
internal sealed class AsyncKeyedLock
{
    private readonly Dictionary<string, Entry> _entries = new(StringComparer.Ordinal);

    /// <summary>Waits for the lock of every key. Dispose the result to release them.</summary>
    public async ValueTask<IDisposable> LockAsync(params string[] keys)
    {
        // Always in the same order, so that two requests can't deadlock.
        Array.Sort(keys, StringComparer.Ordinal);
        foreach (string key in keys)
        {
            Entry entry;
            lock (_entries)
            {
                if (!_entries.TryGetValue(key, out entry!)) _entries[key] = entry = new Entry();
                entry.Users++;
            }

            await entry.Semaphore.WaitAsync();
        }

        return new Releaser(this, keys);
    }

    private void Release(string[] keys)
    {
        lock (_entries)
        {
            foreach (string key in keys)
            {
                Entry entry = _entries[key];
                if (--entry.Users == 0 && _entries.Remove(key)) entry.Semaphore.Dispose();
                else entry.Semaphore.Release();
            }
        }
    }

    private sealed class Entry
    {
        public SemaphoreSlim Semaphore { get; } = new(1, 1);

        public int Users { get; set; }
    }

    private sealed class Releaser(AsyncKeyedLock locks, string[] keys) : IDisposable
    {
        public void Dispose() => locks.Release(keys);
    }
}
