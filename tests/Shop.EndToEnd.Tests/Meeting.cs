using System.Collections.Concurrent;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Shop.Platform.Data;
using Shop.Platform.Data.Sqlite;
using Shop.Platform.Http;

namespace Shop.EndToEnd.Tests;

/// <summary>Stops requests on their way, so that others meet them there.</summary>
internal sealed class Meeting
{
    private static readonly HttpContextAccessor Request = new();

    private readonly ConcurrentDictionary<(string Place, string Subject), Stop> _stops = new();

    /// <summary>The real modules behind contracts whose calls can be stopped.</summary>
    public Action<IServiceCollection> Contracts => services =>
    {
        services.AddHttpContextAccessor();
        InterceptedContracts.By(async (call, subjects, make) =>
        {
            string[] about = [.. subjects];
            await PassAsync($"before {call}", about);
            await make();
            await PassAsync($"after {call}", about);
        })(services);
    };

    /// <summary>Stops the next that comes to a place.</summary>
    /// <param name="place">"before" or "after", and the name of a call from one module to another.</param>
    /// <param name="subject">The product or the order that the call is about.</param>
    /// <param name="isForRequest">Whether work that the shop does of its own accord passes it.</param>
    public Stop StopAt(string place, string subject, bool isForRequest = false)
    {
        var stop = new Stop(() => _stops.TryRemove((place, subject), out _), isForRequest);
        Assert.That(_stops.TryAdd((place, subject), stop), Is.True);
        return stop;
    }

    /// <summary>
    /// Holds the writer of a service's database inside a write: what is written meanwhile comes in one batch.
    /// </summary>
    public static async Task<Stop> HoldWriterAsync(ShopUnderTest shop, string service)
    {
        var release = new ManualResetEventSlim();
        var stop = new Stop(release.Set);
        ModuleListener listener = shop.Services.GetServices<ModuleListener>()
            .Single(listener => listener.Module.Identity.Name == service);
        while (true)
        {
            try
            {
                _ = listener.Module.Database.Writes.WriteAsync(() =>
                {
                    stop.Reach();
                    release.Wait();
                    return WriteResult.Commit(0);
                });
                await stop.Reached;
                return stop;
            }
            catch (WriteQueueFullException)
            {
                await Task.Delay(10); // the queue is short, and the shop itself has written
            }
        }
    }

    private async Task PassAsync(string place, string[] subjects)
    {
        foreach (string subject in subjects)
        {
            if (_stops.TryGetValue((place, subject), out Stop? stop)
                && (!stop.IsForRequest || Request.HttpContext is not null) && _stops.TryRemove((place, subject), out _))
                await stop.PassAsync();
        }
    }

    /// <summary>A request is stopped here until this is disposed of.</summary>
    internal sealed class Stop(Action release, bool isForRequest = false) : IDisposable
    {
        private readonly TaskCompletionSource _reached = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public bool IsForRequest { get; } = isForRequest;

        /// <summary>Ends when a request has come here.</summary>
        public Task Reached => _reached.Task;

        public void Reach() => _reached.TrySetResult();

        public Task PassAsync()
        {
            Reach();
            return _released.Task;
        }

        /// <summary>Lets the request go on with a failure.</summary>
        public void Fail(Exception failure)
        {
            release();
            _released.TrySetException(failure);
        }

        public void Dispose()
        {
            release();
            _released.TrySetResult();
        }
    }
}
