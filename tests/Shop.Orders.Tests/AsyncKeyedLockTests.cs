namespace Shop.Orders.Tests;

internal sealed class AsyncKeyedLockTests
{
    [Test]
    public async Task Given_many_that_enter_by_overlapping_keys_then_none_shares_a_key_with_another_inside_and_all_get_through()
    {
        var locks = new AsyncKeyedLock();
        string[] keys = ["a", "b", "c"];
        int[] inside = new int[keys.Length];
        int through = 0;
        await Task.WhenAll(Enumerable.Range(0, 300).Select(n => Task.Run(async () =>
        {
            // In either order: whoever enters by two keys must not wait for one who waits for it.
            int one = n % 3, other = (n / 3 % 2 == 0) ? (one + 1) % 3 : (one + 2) % 3;
            using IDisposable pass = await locks.LockAsync(keys[one], keys[other]);
            Assert.That((Interlocked.Increment(ref inside[one]), Interlocked.Increment(ref inside[other])),
                Is.EqualTo((1, 1)));
            await Task.Yield();
            Interlocked.Decrement(ref inside[one]);
            Interlocked.Decrement(ref inside[other]);
            Interlocked.Increment(ref through);
        })));
        Assert.That(through, Is.EqualTo(300));
    }
}
