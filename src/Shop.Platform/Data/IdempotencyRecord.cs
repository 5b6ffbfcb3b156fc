namespace Shop.Platform.Data;

/// <summary>What is kept for an idempotency key.</summary>
/// <param name="IsSame">Whether it was kept for the same method, path and content.</param>
/// <param name="Answer">The answer, as its module keeps it.</param>
public sealed record IdempotencyRecord(bool IsSame, string Answer);
