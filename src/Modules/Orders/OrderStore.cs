using Shop.Platform;
using Shop.Platform.Data;
using Shop.Platform.Requests;

namespace Shop.Orders;

/// <summary>What the stores of both engines do in the same way, by the reads and writes of each.</summary>
internal abstract class OrderStore
{
    /// <summary>Orders that one write deletes, so that no other waits long.</summary>
    internal const int OrdersPerDeletion = 100;

    /// <inheritdoc cref="IOrderStore.ReplayAsync"/>
    public async ValueTask<ReplayResult> ReplayAsync(
        IdempotencyKey? key, string? orderId, byte[] fingerprint, DateTime now)
    {
        if (key is not null && await FindKeyAsync(key, now) is { } kept)
        {
            if (!kept.IsSame) return new ReplayResult(ReplayOutcome.KeyReused);
            return await FindAsync(kept.Answer) is { } placed
                ? new ReplayResult(ReplayOutcome.Replayed, placed)
                : new ReplayResult(ReplayOutcome.OrderDeleted, OrderId: kept.Answer);
        }

        if (orderId is null || await FindFingerprintAsync(orderId) is not { Exists: true } found)
            return new ReplayResult(ReplayOutcome.New);
        if (!found.Fingerprint.AsSpan().SequenceEqual(fingerprint))
            return new ReplayResult(ReplayOutcome.OrderIdReused);
        if (key is not null)
        {
            bool? isBound = await BindAsync(key, orderId, now);
            if (isBound is null) return new ReplayResult(ReplayOutcome.New);
            // If the key was used in between, its record decides.
            if (isBound == false) return await ReplayAsync(key, orderId, fingerprint, now);
        }

        // It may have been deleted in between.
        return await FindAsync(orderId) is { } order
            ? new ReplayResult(ReplayOutcome.Replayed, order)
            : new ReplayResult(ReplayOutcome.New);
    }

    /// <inheritdoc cref="IOrderStore.DeleteAsync"/>
    public async ValueTask<DeletedOrders> DeleteAsync(string status, DateTime endedBy, long cursor, DateTime now)
    {
        long latestEnd = endedBy.ToMilliseconds();
        IReadOnlyList<OrderAge> next = await ListByAgeAsync(status, cursor, OrdersPerDeletion);
        // No order ends before it is created, so all the others are too young as well.
        if (next.All(order => order.CreatedAt > latestEnd)) return new DeletedOrders(0, Next: null);
        OrderAge[] old = [.. next.Where(order => order.UpdatedAt <= latestEnd)];
        int deleted = old.Length == 0 ? 0 : await DeleteAsync(status, old, now);
        return new DeletedOrders(deleted, next[^1].Seq);
    }

    /// <inheritdoc cref="IOrderStore.FindAsync"/>
    public abstract ValueTask<Order?> FindAsync(string id);

    /// <summary>The record of an idempotency key; null if there is none.</summary>
    protected abstract ValueTask<IdempotencyRecord?> FindKeyAsync(IdempotencyKey key, DateTime now);

    /// <summary>The fingerprint of an order; null if the client did not choose its id.</summary>
    protected abstract ValueTask<(bool Exists, byte[]? Fingerprint)> FindFingerprintAsync(string id);

    /// <summary>Binds a key to an order that a request without it has placed.</summary>
    /// <returns>False if the key is bound already, null if the order does not exist.</returns>
    protected abstract ValueTask<bool?> BindAsync(IdempotencyKey key, string orderId, DateTime now);

    /// <summary>Orders in a status with numbers after this one, in the order of their numbers.</summary>
    protected abstract ValueTask<IReadOnlyList<OrderAge>> ListByAgeAsync(string status, long after, int limit);

    /// <summary>Deletes those of these orders that may be deleted.</summary>
    /// <returns>How many were deleted.</returns>
    protected abstract ValueTask<int> DeleteAsync(string status, OrderAge[] orders, DateTime now);
}

/// <summary>When an order was created and when it last changed, in milliseconds since 1970.</summary>
internal sealed record OrderAge(string Id, long Seq, long CreatedAt, long UpdatedAt);
