using System.Text.Json.Nodes;
using Npgsql;

namespace Shop.EndToEnd.Tests;

/// <summary>Several hosts on one database, each a process of its own.</summary>
internal sealed class ShopHosts : IAsyncDisposable
{
    private readonly string[] _settings;
    private readonly string _directory = Directory.CreateTempSubdirectory("shop-hosts-").FullName;

    private ShopHosts(PostgresCluster cluster, string[] settings)
    {
        Address = cluster.CreateDatabase();
        _settings = [.. settings.Select(setting => $"--{setting}")];
    }

    /// <summary>The connection string of their database.</summary>
    public string Address { get; }

    public List<ShopProcess> All { get; } = [];

    public ShopProcess this[int host] => All[host];

    public static async Task<ShopHosts> StartAsync(int count, params string[] settings) =>
        await StartAsync(PostgresCluster.Shared, count, settings);

    public static async Task<ShopHosts> StartAsync(PostgresCluster cluster, int count, params string[] settings)
    {
        var hosts = new ShopHosts(cluster, settings);
        Task<ShopProcess>[] starts = [.. Enumerable.Range(0, count).Select(_ => hosts.StartOneAsync())];
        try
        {
            hosts.All.AddRange(await Task.WhenAll(starts));
        }
        catch
        {
            // Nobody else would end those that have started.
            hosts.All.AddRange(starts.Where(start => start.IsCompletedSuccessfully).Select(start => start.Result));
            await hosts.DisposeAsync();
            throw;
        }

        return hosts;
    }

    /// <summary>Starts a host, which is not among <see cref="All"/>.</summary>
    public Task<ShopProcess> StartOneAsync(params (string Name, string Value)[] environment) =>
        ShopProcess.StartAsync(
            Directory.CreateDirectory(Path.Combine(_directory, Guid.NewGuid().ToString("N"))).FullName,
            [$"--ConnectionStrings:Shop={Address}", .. _settings], environment);

    /// <summary>Runs a statement on their database.</summary>
    /// <returns>The first value of the first row.</returns>
    public async Task<object?> SqlAsync(string sql)
    {
        await using var source = NpgsqlDataSource.Create(Address + ";Pooling=false");
        await using NpgsqlCommand command = source.CreateCommand(sql);
        return await command.ExecuteScalarAsync();
    }

    public ValueTask DisposeAsync()
    {
        foreach (ShopProcess host in All) host.Dispose();
        Directory.Delete(_directory, recursive: true);
        return ValueTask.CompletedTask;
    }
}

/// <summary>What tests say to one of several hosts.</summary>
internal static class HostRequests
{
    public static async Task<string> ProductAsync(this ShopProcess host, long stock)
    {
        (HttpResponseMessage response, JsonNode? product) = await host.Products.PostAsync("/products",
            new { name = "A thing", price = 10m, initial_stock = stock });
        Assert.That((int)response.StatusCode, Is.EqualTo(201), product?.ToJsonString());
        return (string)product!["id"]!;
    }

    public static Task<(HttpResponseMessage Response, JsonNode? Json)> PlaceAsync(
        this ShopProcess host, string product, int quantity = 1, string? id = null, string? key = null)
    {
        object items = new[] { new { product_id = product, quantity } };
        return host.Orders.PostAsync("/orders",
            id is null ? new { customer_id = "someone", items } : new { order_id = id, customer_id = "someone", items },
            key is null ? [] : [("Idempotency-Key", key)]);
    }

    public static async Task<(long Level, long OnHand, long Reserved)> StockAsync(this ShopProcess host, string product)
    {
        JsonNode stock = await host.Inventory.GetJsonAsync($"/inventory/{product}");
        return ((long)stock["stock_level"]!, (long)stock["on_hand"]!, (long)stock["reserved"]!);
    }

    public static async Task<int> CodeAsync(this HttpClient client, string path)
    {
        using HttpResponseMessage response = await client.GetAsync(path);
        return (int)response.StatusCode;
    }
}
