using Granary.DocumentQuestions;
using Granary.DocumentQuestions.Hosting;

var builder = WebApplication.CreateBuilder(args);
builder.AddGranary();
builder.AddDocuments();
await using var app = builder.Build();
app.MapDocuments();
await app.RunAsync();
