using Prometheus;
using Shop.Baseline;

// What the shop is measured against: Kestrel that returns bytes it was given, and does nothing else. With "metrics" as
// second argument it also counts requests, as prometheus-net's own middleware does. Usage: Shop.Baseline FOLDER
// [metrics]; the folder has product.json, list.json and order.json, answers of a real shop.
string folder = args[0];
bool hasMetrics = args is [_, "metrics", ..];

WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
builder.Logging.ClearProviders();
builder.WebHost.ConfigureKestrel(kestrel =>
{
    kestrel.AddServerHeader = false;
    kestrel.ListenLocalhost(int.Parse(Environment.GetEnvironmentVariable("PORT") ?? "5000",
        System.Globalization.CultureInfo.InvariantCulture));
});
WebApplication app = builder.Build();
var product = Answer.Read(folder, "product.json", 200, ("ETag", "\"6b1f5c2a9d3e4f5061728394\""));
var list = Answer.Read(folder, "list.json", 200, ("X-Total-Count", "200"),
    ("Link", "</products?limit=20&after=cHJvZF8xMTY>; rel=\"next\""));
var order = Answer.Read(folder, "order.json", 201, ("Location", "/orders/019dc6a7-3a7e-7c4e-8f6a-3f1f4f2d9a11"));

if (hasMetrics)
{
    app.UseRouting();
    app.UseHttpMetrics();
    app.MapGet("/products/{id}", product.SendAsync);
    app.MapGet("/products", list.SendAsync);
    app.MapMetrics();
}
else
{
    app.Run(http => http.Request.Method == "POST" ? order.SendAfterBodyAsync(http)
        : http.Request.Path.Value!.Length == "/products".Length ? list.SendAsync(http)
        : product.SendAsync(http));
}

await app.RunAsync();
