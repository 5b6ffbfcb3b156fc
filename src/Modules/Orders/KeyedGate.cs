namespace Shop.Orders;

/// <summary>Lets one request at a time through for each key, so that two identical ones become one order and a repeat of it.</summary>
internal sealed class KeyedGate
{
    private readonly Dictionary<string, Turn> _turns = new(StringComparer.Ordinal);

    /// <summary>Waits for the turn of every key; dispose what it returns to let the next through.</summary>
    public async ValueTask<IDisposable> EnterAsync(params string[] keys)
    {
        // Always in the same order: two requests can't wait for each other.
        Array.Sort(keys, StringComparer.Ordinal);
        foreach (string key in keys)
        {
            Turn turn;
            lock (_turns)
            {
                if (!_turns.TryGetValue(key, out turn!)) _turns[key] = turn = new Turn();
                turn.Users++;
            }

            await turn.Free.WaitAsync();
        }

        return new Pass(this, keys);
    }

    private void Leave(string[] keys)
    {
        lock (_turns)
        {
            foreach (string key in keys)
            {
                Turn turn = _turns[key];
                if (--turn.Users == 0 && _turns.Remove(key)) turn.Free.Dispose();
                else turn.Free.Release();
            }
        }
    }

    private sealed class Turn
    {
        public SemaphoreSlim Free { get; } = new(1, 1);

        public int Users { get; set; }
    }

    private sealed class Pass(KeyedGate gate, string[] keys) : IDisposable
    {
        public void Dispose() => gate.Leave(keys);
    }
}
