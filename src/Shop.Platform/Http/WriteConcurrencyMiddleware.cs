using Microsoft.AspNetCore.Http;
using Shop.Platform.Requests;

namespace Shop.Platform.Http;

/// <summary>Answers a request that writes, once its body has arrived and it has a permit.</summary>
/// <remarks>
/// Thousands of requests may wait for a permit, and each garbage collection walks over all that they hold. So they wait
/// here, before the handler has begun.
/// </remarks>
/// <param name="listener">The listener of the module.</param>
/// <param name="arrive">Waits for the body; answers the request if the body is refused.</param>
/// <param name="handler">Answers the request once it has a permit.</param>
/// <param name="onTimeout">Called if the request timed out in the queue.</param>
internal sealed class WriteConcurrencyMiddleware(ModuleListener listener, Func<HttpContext, ValueTask<IResult?>> arrive,
    Handler handler, Action? onTimeout = null)
{
    public async Task AnswerAsync(HttpContext http)
    {
        // A client that sends slowly holds no permit meanwhile.
        if (await arrive(http) is { } refusal)
        {
            await refusal.ExecuteAsync(http);
            return;
        }

        if (!listener.WriteLimiter.TryAcquire(out ValueTask permit))
        {
            RequestBody.Discard(http);
            await LimitRefusals.TooManyRequests.ExecuteAsync(http);
            return;
        }

        long? waitsSince = permit.IsCompleted ? null : listener.Module.Clock.GetTimestamp();
        await permit;
        IResult answer;
        try
        {
            answer = (waitsSince is { } since ? Expired(http, since) : null) ?? await handler(http);
        }
        finally
        {
            listener.WriteLimiter.Release();
        }

        await answer.ExecuteAsync(http);
    }

    // Null if it waited no longer than it may, and its client is still connected.
    private Problem? Expired(HttpContext http, long since)
    {
        bool isLate = listener.Module.Clock.GetElapsedTime(since) > listener.Module.Settings.RequestTimeout;
        if (!isLate && !http.RequestAborted.IsCancellationRequested) return null;
        RequestBody.Discard(http);
        http.RequestAborted.ThrowIfCancellationRequested();
        onTimeout?.Invoke();
        return LimitRefusals.QueueTimeout;
    }
}
