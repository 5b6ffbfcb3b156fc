using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Shop.Platform.Http;

/// <summary>
/// Answers a route through the framework's compression. A compressor holds memory until its client has read the answer,
/// so only a few run at once; other answers are sent uncompressed meanwhile.
/// </summary>
internal static class LimitedCompression
{
    private const int MaxAtOnce = 16;

    /// <summary>Builds what answers the route of a request.</summary>
    public static RequestDelegate Build(IServiceProvider services)
    {
        int running = 0;
        var pipeline = new ApplicationBuilder(services);
        pipeline.UseResponseCompression();
        pipeline.Run(static http => http.GetEndpoint()!.RequestDelegate!(http));
        RequestDelegate compress = pipeline.Build();
        return async http =>
        {
            try
            {
                bool hasRoom = Interlocked.Increment(ref running) <= MaxAtOnce;
                await (hasRoom ? compress(http) : http.GetEndpoint()!.RequestDelegate!(http));
            }
            finally
            {
                Interlocked.Decrement(ref running);
            }
        };
    }
}
