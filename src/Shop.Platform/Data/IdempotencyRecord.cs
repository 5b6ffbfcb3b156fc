namespace Shop.Platform.Data;

/// <summary>The stored result of the request that used an idempotency key first.</summary>
/// <param name="IsSame">Whether that request had the same method, path and content.</param>
/// <param name="Answer">The answer, as its module stores it.</param>
public sealed record IdempotencyRecord(bool IsSame, string Answer);
