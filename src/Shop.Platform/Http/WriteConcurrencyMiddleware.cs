using Microsoft.AspNetCore.Http;
using Shop.Platform.Requests;

namespace Shop.Platform.Http;

/// <summary>Answers a request that writes, once what it brings is there and its turn has come.</summary>
/// <remarks>Thousands may stand in line, and each collection of garbage walks over all that they hold. So they wait here, before the handler has begun.</remarks>
/// <param name="listener">Whose turns they are.</param>
/// <param name="arrive">Waits for what the request brings; answers it where that is not taken.</param>
/// <param name="handler">Answers it in its turn.</param>
/// <param name="tooLate">Told where its turn came too late.</param>
internal sealed class WriteConcurrencyMiddleware(ModuleListener listener, Func<HttpContext, ValueTask<IResult?>> arrive, Handler handler, Action? tooLate = null)
{
    public async Task AnswerAsync(HttpContext http)
    {
        // A client that sends slowly holds up nobody's turn.
        if (await arrive(http) is { } refusal)
        {
            await refusal.ExecuteAsync(http);
            return;
        }

        if (!listener.WriteLimiter.TryAcquire(out ValueTask turn))
        {
            RequestBody.Discard(http);
            await Rejections.TooManyRequests.ExecuteAsync(http);
            return;
        }

        long? waitsSince = turn.IsCompleted ? null : listener.Module.Clock.GetTimestamp();
        await turn;
        IResult answer;
        try
        {
            answer = (waitsSince is { } since ? NotAnyMore(http, since) : null) ?? await handler(http);
        }
        finally
        {
            listener.WriteLimiter.Release();
        }

        await answer.ExecuteAsync(http);
    }

    // Null where its turn has come in time, and its client is still there.
    private Problem? NotAnyMore(HttpContext http, long since)
    {
        bool isLate = listener.Module.Clock.GetElapsedTime(since) > listener.Module.Settings.RequestTimeout;
        if (!isLate && !http.RequestAborted.IsCancellationRequested) return null;
        RequestBody.Discard(http);
        http.RequestAborted.ThrowIfCancellationRequested();
        tooLate?.Invoke();
        return Rejections.QueueTimeout;
    }
}
