using System.ComponentModel.DataAnnotations.Schema;
using Microsoft.EntityFrameworkCore;

namespace Shop.EfCorePeer;

[Table("products")]
public sealed class Product
{
    [Column("id")] public string Id { get; set; } = "";
    [Column("name")] public string Name { get; set; } = "";
    [Column("price_cents")] public long PriceCents { get; set; }
    [Column("stock")] public long Stock { get; set; }
}

[Table("orders")]
public sealed class Order
{
    [Column("id")] public Guid Id { get; set; }
    [Column("customer_id")] public string CustomerId { get; set; } = "";
    [Column("status")] public string Status { get; set; } = "";
    [Column("total_cents")] public long TotalCents { get; set; }
    [Column("created_at")] public DateTime CreatedAt { get; set; }
    public ICollection<OrderLine> Lines { get; } = new List<OrderLine>();
}

[Table("order_lines")]
[PrimaryKey(nameof(OrderId), nameof(Line))]
public sealed class OrderLine
{
    [Column("order_id")] public Guid OrderId { get; set; }
    [Column("line")] public int Line { get; set; }
    [Column("product_id")] public string ProductId { get; set; } = "";
    [Column("name")] public string Name { get; set; } = "";
    [Column("quantity")] public long Quantity { get; set; }
    [Column("unit_price_cents")] public long UnitPriceCents { get; set; }
}

public sealed record NewLine(string ProductId, long Quantity);

public sealed record NewOrder(string CustomerId, IReadOnlyList<NewLine> Items);

public sealed class OrderContext(DbContextOptions<OrderContext> options) : DbContext(options)
{
    public DbSet<Product> Products => Set<Product>();
    public DbSet<Order> Orders => Set<Order>();
}
