using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Shop.EfCorePeer;

// Orders on ASP.NET with EF Core and PostgreSQL, as its users would write it: a transaction an order.
// Usage: CONNECTION="Host=localhost;Database=orders" PORT=8000 Shop.EfCorePeer (with the tables of ../orders.sql)
WebApplicationBuilder builder = WebApplication.CreateBuilder(args);
builder.Logging.SetMinimumLevel(LogLevel.Warning);
builder.WebHost.UseUrls($"http://127.0.0.1:{Environment.GetEnvironmentVariable("PORT")}");
builder.Services.ConfigureHttpJsonOptions(json =>
    json.SerializerOptions.PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower);
builder.Services.AddDbContextPool<OrderContext>(options =>
    options.UseNpgsql(Environment.GetEnvironmentVariable("CONNECTION")));
WebApplication app = builder.Build();

app.MapGet("/health", () => Results.Ok());
app.MapPost("/orders", async (NewOrder request, OrderContext context) =>
{
    if (request.Items.Count == 0 || request.Items.Any(item => item.Quantity < 1)) return Results.BadRequest();
    await using IDbContextTransaction transaction = await context.Database.BeginTransactionAsync();
    var ids = request.Items.Select(item => item.ProductId).ToList();
    Dictionary<string, Product> products = await context.Products.AsNoTracking()
        .Where(product => ids.Contains(product.Id)).ToDictionaryAsync(product => product.Id);
    var order = new Order
    {
        Id = Guid.CreateVersion7(),
        CustomerId = request.CustomerId,
        Status = "created",
        CreatedAt = DateTime.UtcNow,
    };
    // In one order, so that transactions don't lock each other out.
    foreach (NewLine item in request.Items.OrderBy(item => item.ProductId, StringComparer.Ordinal))
    {
        if (!products.TryGetValue(item.ProductId, out Product? product)) return Results.NotFound();
        int taken = await context.Products
            .Where(other => other.Id == item.ProductId && other.Stock >= item.Quantity)
            .ExecuteUpdateAsync(update => update.SetProperty(p => p.Stock, p => p.Stock - item.Quantity));
        if (taken == 0) return Results.Conflict();
        order.TotalCents += product.PriceCents * item.Quantity;
        order.Lines.Add(new OrderLine
        {
            Line = order.Lines.Count,
            ProductId = product.Id,
            Name = product.Name,
            Quantity = item.Quantity,
            UnitPriceCents = product.PriceCents,
        });
    }

    context.Orders.Add(order);
    await context.SaveChangesAsync();
    await transaction.CommitAsync();
    return Results.Created($"/orders/{order.Id}", new
    {
        OrderId = order.Id,
        order.CustomerId,
        order.Status,
        Total = order.TotalCents / 100m,
        order.CreatedAt,
        Items = order.Lines.Select(line =>
            new { line.ProductId, line.Name, line.Quantity, UnitPrice = line.UnitPriceCents / 100m }),
    });
});

await app.RunAsync();
