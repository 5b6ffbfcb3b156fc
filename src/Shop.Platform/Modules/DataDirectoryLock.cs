using Microsoft.Extensions.Hosting;
using Shop.Platform.Data;

namespace Shop.Platform.Modules;

/// <summary>
/// Locks the data directory for this process, from before the databases are opened until after they are closed.
/// </summary>
internal sealed class DataDirectoryLock(ShopSettings settings) : IHostedService
{
    private DataDirectory? _directory;

    public Task StartAsync(CancellationToken cancellationToken)
    {
        _directory = DataDirectory.Take(settings.DataDirectory);
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken)
    {
        _directory?.Dispose();
        return Task.CompletedTask;
    }
}
