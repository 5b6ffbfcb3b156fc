namespace Shop.Monitoring.Tests;

/// <summary>Real faults, and the alert that is meant for each.</summary>
[Category("CI")]
internal sealed class FaultTests
{
    [Test]
    public async Task Given_a_host_that_stops_then_ServiceDown()
    {
        await using WatchedShop watched = await WatchedShop.StartAsync();
        await WatchedShop.UntilAsync(
            async () => (await watched.QueryAsync("""sum(up{job=~".+-service"})""")) is [{ Value: 3 }],
            () => Task.FromResult("The services are not up."));
        await watched.Shop.CloseAsync();
        await watched.UntilAlertAsync("ServiceDown");
        await watched.UntilAlertAsync("TargetDown");
    }

    [Test]
    public async Task Given_stock_that_runs_out_then_StockRunningOut()
    {
        await using WatchedShop watched = await WatchedShop.StartAsync();
        for (int units = 1; units < 10; units++) await watched.Shop.OrderAsync($"prod_{190 + units}", units);
        await watched.UntilAlertAsync("StockRunningOut");
    }

    [Test]
    public async Task Given_more_writes_than_the_queue_holds_then_WriteQueueFilling_and_WritesRefused()
    {
        await using WatchedShop watched = await WatchedShop.StartAsync("Shop:WriteQueueLimit=4");
        using var stop = new CancellationTokenSource();
        Task[] clients = [.. Enumerable.Range(0, 64).Select(async _ =>
        {
            while (!stop.IsCancellationRequested)
            {
                await watched.Shop.Inventory.PostAsync("/inventory/increase",
                    new { product_id = "prod_0", quantity = 1 });
            }
        })];
        await watched.UntilAlertAsync("WritesRefused");
        await watched.UntilAlertAsync("WriteQueueFilling");
        await watched.UntilAlertAsync("AvailabilityBudgetBurn");
        await stop.CancelAsync();
        await Task.WhenAll(clients);
    }

    [Test]
    public async Task Given_customers_who_view_but_can_not_order_then_OrdersStopped()
    {
        await using WatchedShop watched = await WatchedShop.StartAsync();
        await using (new Traffic(watched.Shop))
        {
            await WatchedShop.UntilAsync(
                async () => (await watched.QueryAsync("rate(orders_created_total[10s]) > 0")).Count > 0,
                () => Task.FromResult("Nothing is ordered."));
        }

        await using (new Traffic(watched.Shop, buys: false)) await watched.UntilAlertAsync("OrdersStopped");
    }

    [Test]
    public async Task Given_payments_that_are_reversed_then_RefundsUnusual()
    {
        await using WatchedShop watched = await WatchedShop.StartAsync();
        var orders = new List<string>();
        await WatchedShop.UntilAsync(async () =>
        {
            for (int n = 0; n < 5; n++)
            {
                orders.Add(await watched.Shop.OrderAsync("prod_0"));
                await watched.Shop.Orders.PostAsync($"/orders/{orders[^1]}/pay");
                if (n % 2 == 0) await watched.Shop.Orders.PostAsync($"/orders/{orders[^1]}/cancel");
            }

            return (await watched.AlertsAsync()).Contains("RefundsUnusual");
        }, () => Task.FromResult("RefundsUnusual is not raised."));
    }
}
